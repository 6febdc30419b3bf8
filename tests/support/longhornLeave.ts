import { addLonghornNode, installLonghorn, type LonghornFaults, type LonghornNode } from "./doubles/longhornController";
import type { SimulatedCluster } from "./doubles/simulatedCluster";
import type { ScriptRun } from "./scriptedHost";
import { NODES, ScriptedLonghorn } from "./scriptedLonghorn";

/*
 * Shared by the tests of Longhorn in a removal. Each test has its own world (`beforeEach`). The double of Longhorn's controllers
 * moves replica objects; the objects are checked against Longhorn's own schemas.
 */

/** Agents; the second is removed. */
export const [, FIRST, NAME, THIRD] = NODES;

export let world: ScriptedLonghorn;
export let cluster: SimulatedCluster;
beforeEach(async () => {
  world = await new ScriptedLonghorn().open();
  cluster = world.cluster;
});
afterEach(() => world.close());

/** Installs Longhorn on three nodes, each with a disk of 100 GiB by default. */
export function longhorn(faults: LonghornFaults = {}, gib = 100): void {
  installLonghorn(cluster, faults);
  for (const name of [FIRST, NAME, THIRD]) addLonghornNode(cluster, name, gib);
}
/** The removal of the node. */
export const leave = (name: string = NAME): Promise<ScriptRun> => world.leave(name);
export const left = { code: 0, outcome: `${NAME} left the cluster` };
/** A file that the host keeps about the removal. */
export const note = (file = `evicting/${NAME}`): string => world.note(file);
export const nodeOf = (name: string = NAME): LonghornNode => world.nodeOf(name);
export const placesOf = (volume: string): string[] => world.placesOf(volume);
const CHANGES = /^(patch|drain|cordon|uncordon|delete|taint|label|annotate)/;
const changes = (): string[] => world.asked.filter((question) => CHANGES.test(question));
const NO_SCHEDULING = '{"spec":{"allowScheduling":false,"evictionRequested":true}}';
/** The patch that disables scheduling and requests the eviction. */
export const evict = `-n longhorn-system patch nodes.longhorn.io ${NAME} --type=merge -p ${NO_SCHEDULING}`;
export const patches = (): string[] => world.patches;

/** Expects that nothing was changed, in the cluster or on the host. */
export function expectUndisturbed(run: ScriptRun): void {
  expect([run.code, changes(), patches(), note(), note(`leaving/${NAME}`)]).toEqual([1, [], [], "", ""]);
  expect(nodeOf().spec).toMatchObject({ allowScheduling: true, evictionRequested: false });
}
