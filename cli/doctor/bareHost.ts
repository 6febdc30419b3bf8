import { ownCommand } from "../../config/ownCommand";
import { GATE_FILE } from "../../remote/hostGate";
import { AdminShell } from "../adminShell";
import { renderAdmin } from "../init/adminScript";
import { type HostFacts, parseFacts } from "../init/facts";
import { InitError } from "../init/problem";
import { propose } from "../init/propose";
import { fail, type Finding, ok } from "./finding";

/**
 * Whether a Proxmox host is ready for a first cluster, before there is a stack. Changes nothing.
 * @param target `root@HOST`, over the user's own SSH
 */
export async function checkBareHost(target: string, ssh: string): Promise<Finding[]> {
  const shell = new AdminShell(ssh, target);
  const at = await shell.resolve();
  try {
    return judgeBareHost(parseFacts(await shell.script(renderAdmin("facts", { CLUSTER: "", GATE_FILE }))), at, target);
  } catch (error) {
    const [cause = "", next = ""] = (error as Error).message.split(/\nnext: +/);
    return [fail("ssh", cause, next)];
  }
}

/** Checks the host as if `init` made the smallest cluster in containers there. */
export function judgeBareHost(facts: HostFacts, at: { address: string; port: number }, target: string): Finding[] {
  const here = [
    ok("ssh", `${target} lets you in`),
    ok("proxmox-version", `Proxmox VE ${facts.version}, node ${facts.node}`),
  ];
  try {
    const { pools, network, template } = propose(facts, { name: "k3s", kind: "lxc", servers: 1, workers: 2 }, at);
    return [
      ...here,
      ok("storage", pools.control.storage),
      ok("bridge", `${network.bridge} (${network.cidr}, gateway ${network.gateway})`),
      ok("template", `${template?.volume}${template?.isThere ? "" : ", which init downloads"}`),
      ok("vmid", `${pools.control.vmId} and ${pools.worker.vmId} are free, with room above them`),
      ok("address", `${pools.control.address} and ${pools.worker.address} are not known to the host`),
      ok("next", ownCommand(`init ${target}`)),
    ];
  } catch (error) {
    if (!(error instanceof InitError)) throw error;
    return [...here.slice(0, 1), ...error.problems.map(({ cause, next }) => fail("host", cause, next))];
  }
}
