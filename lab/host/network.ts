import { labNetwork } from "../lab";
import { CommandError, run } from "./run";

const lastSubnet = 250;

/**
 * Reserves a free network for a lab by making its veth pair: the name of the outer end can exist only once, so two labs
 * that start at the same moment never get the same. Its alias is the lab's name.
 *
 * @param wanted the only N to try; any by default.
 * @returns N of 198.18.N.0/24.
 */
export async function claimSubnet(lab: string, wanted?: number): Promise<number> {
  const taken = await run("ip", ["-4", "-oneline", "address", "show"]);
  for (let subnet = wanted ?? 1; subnet <= (wanted ?? lastSubnet); subnet++) {
    const { prefix, outerLink, innerLink } = labNetwork(subnet);
    if (taken.includes(` ${prefix}.`)) continue;
    try {
      await run("ip", ["link", "add", outerLink, "type", "veth", "peer", "name", innerLink]);
      await run("ip", ["link", "set", outerLink, "alias", lab]);
      return subnet;
    } catch (error) {
      if (!(error instanceof CommandError && /File exists/.test(error.stderr))) throw error;
    }
  }
  throw new Error(
    `No free network for the lab: 198.18.${wanted ?? 1}.0 to 198.18.${wanted ?? lastSubnet}.0 are in use`,
  );
}

/** Gives the inner end to the lab and the outer end its address. */
export async function connectLab(subnet: number, initPid: number): Promise<void> {
  const { innerLink, outerLink, machine } = labNetwork(subnet);
  await run("ip", ["link", "set", innerLink, "netns", String(initPid)]);
  await run("ip", ["address", "add", `${machine}/24`, "dev", outerLink]);
  await run("ip", ["link", "set", outerLink, "up"]);
}

/** The errors of `ip` and the kernel if the pair is gone; the kernel's if that happens between the check and the deletion. */
const GONE = /Cannot find device|No such device|does not exist/;

/**
 * Removes the lab's veth pair, if it is still there: it also disappears with its namespace. A pair of that name may be
 * another lab's, because a stopped lab keeps no network.
 */
export async function releaseSubnet(lab: string, subnet: number): Promise<void> {
  const { outerLink } = labNetwork(subnet);
  try {
    const [link] = JSON.parse(await run("ip", ["-json", "link", "show", "dev", outerLink])) as { ifalias?: string }[];
    if (link?.ifalias === lab) await run("ip", ["link", "delete", outerLink]);
  } catch (error) {
    if (!(error instanceof CommandError && GONE.test(error.stderr))) throw error;
  }
}
