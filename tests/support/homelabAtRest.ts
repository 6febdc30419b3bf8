import { Homelab, type HomelabSnapshot } from "./homelab";

/**
 * The homelab after its first `up`; any number of tests can start from it.
 * @param prepare changes the program or the config before the `up`
 * @throws Error with the output of an `up` that failed
 */
export async function homelabAtRest(
  prepare: (lab: Homelab) => void | Promise<void> = () => {},
): Promise<HomelabSnapshot> {
  const lab = await Homelab.start();
  try {
    await prepare(lab);
    const { code, stdout } = await lab.up();
    if (code !== 0) throw new Error(`the homelab cannot be set up:\n${stdout}`);
    return lab.save();
  } finally {
    await lab.dispose();
  }
}
