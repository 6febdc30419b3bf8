import type { Step } from "../../cli/preview/steps";
import type { Entry } from "../support/journal";
import {
  awayProblems,
  effectLine,
  happenings,
  orderProblems as turnProblems,
  type Standing,
  strangerProblems,
} from "../support/sequences/disturbances";
import { orderProblems } from "../support/sequences/promises";
import { wishedNodes } from "../support/sequences/wish";

/** The checks of the random sequences (tests/engine/sequences.test.ts) find what they must find. */

/** Events that happened one after another; `!` before a script makes it fail. */
function journal(...whats: string[]): Entry[] {
  return whats.map((text, at) => {
    const what = text.replace(/^!/, "");
    const entry = {
      what,
      kind: what.startsWith("guest ") ? "machine" : "script",
      began: 2 * at + 1,
      ended: 2 * at + 2,
    };
    return { ...entry, ...(text === what ? {} : { failure: "a cause" }) } as Entry;
  });
}
const problems = (...whats: string[]): string[] => orderProblems(journal(...whats), new Set());

const [LEAVE, DESTROY, CREATE, K3S] = [
  "k3s-worker-01-leave delete",
  "guest 102 destroy",
  "guest 102 create",
  "k3s-worker-01-k3s create",
];
const TOO_EARLY = "the machine of k3s-worker-01 went before k3s-worker-01 had left";

describe("the order of a removal", () => {
  it("is right if the leave ended before the machine was removed, and if nothing had joined yet", () => {
    expect(problems(LEAVE, DESTROY)).toEqual([]);
    expect(problems(LEAVE, DESTROY, CREATE, K3S, LEAVE, DESTROY)).toEqual([]);
    expect(problems(LEAVE, DESTROY, CREATE, DESTROY)).toEqual([]);
    expect(problems(LEAVE, DESTROY, "guest 102 clone", K3S, LEAVE, DESTROY)).toEqual([]);
  });

  it("is wrong without a leave, with one that failed, and with one of an earlier machine", () => {
    expect(problems(DESTROY)).toEqual([TOO_EARLY]);
    expect(problems(`!${LEAVE}`, DESTROY)).toEqual([TOO_EARLY]);
    expect(problems(LEAVE, DESTROY, CREATE, K3S, DESTROY)).toEqual([TOO_EARLY]);
    expect(problems(LEAVE, "k3s-worker-01-k3s update", DESTROY)).toEqual([TOO_EARLY]);
  });

  it("is wrong if the leave comes after the machine's removal, or ends after that removal began", () => {
    expect(problems(LEAVE, DESTROY, LEAVE)).toEqual(["k3s-worker-01 left after its machine had gone"]);
    const [leave, destroy] = journal(LEAVE, DESTROY) as [Entry, Entry];
    expect(orderProblems([{ ...leave, ended: 9 }, destroy], new Set())).toEqual([TOO_EARLY]);
  });

  it("does not matter for a machine that was destroyed by hand", () => {
    const entries = journal(DESTROY, LEAVE);
    expect(orderProblems(entries, new Set(entries.slice(0, 1)))).toEqual([]);
    // The second destroy is Proxmox VE's: it removes the rest of a failed creation.
    const again = journal(DESTROY, DESTROY);
    expect(orderProblems(again, new Set(again.slice(0, 1)))).toEqual([]);
  });
});

describe("what an up did to the nodes", () => {
  const node = (index: number, change: Partial<Standing> = {}): Standing => {
    const vmId = 101 + index;
    return { name: `worker-${index}`, was: vmId, is: vmId, hasNewK3s: false, hasNewSettings: false, ...change };
  };
  const [one, two] = [node(1), node(2)];
  const seen = (nodes: readonly Standing[], ...whats: string[]) => happenings(journal(...whats), nodes);
  const effects = (standing: Standing, ...whats: string[]): string[] =>
    seen([standing], ...whats).map((each) => effectLine(each.node, each.effects));
  const rebuild = ["worker-1-leave delete", "guest 102 destroy", "guest 202 create", "worker-1-ready create"];
  const reboot = (index: number): string[] => [`guest ${101 + index} shutdown`, `guest ${101 + index} start`];

  it.each([
    ["nothing, if scripts only checked", one, ["worker-1-ready update", "worker-1-k3s update"], []],
    ["a rebuild", node(1, { is: 202 }), rebuild, ["worker-1 rebuild"]],
    ["a new node", { ...one, was: undefined }, ["guest 102 create", "guest 102 start"], ["worker-1 join"]],
    ["a new machine", { ...one, was: undefined }, ["guest 102 clone", "guest 102 start"], ["worker-1 join"]],
    [
      "a node that leaves",
      { ...one, is: undefined },
      ["worker-1-leave delete", "guest 102 destroy"],
      ["worker-1 leave"],
    ],
    ["only a drain", one, ["worker-1-leave delete"], ["worker-1 drain"]],
    ["a reboot", one, [...reboot(1), "worker-1-back look"], ["worker-1 reboot"]],
    ["a reboot that no step waits for", one, reboot(1), ["worker-1 reboot"]],
    ["a guest that only stopped", one, ["guest 102 stop"], ["worker-1 reboot"]],
    ["a restart of K3s", node(1, { hasNewK3s: true }), ["worker-1-k3s update"], ["worker-1 k3sRestart"]],
    ["a setting", node(1, { hasNewSettings: true }), [], ["worker-1 live"]],
    [
      "all effects that can come together",
      node(1, { hasNewK3s: true, hasNewSettings: true }),
      [...reboot(1), "worker-1-back look", "worker-1-k3s update", "worker-1-back look"],
      ["worker-1 reboot + k3sRestart + live"],
    ],
  ])("is found: %s", (_, standing, whats, expected) => expect(effects(standing, ...whats)).toEqual(expected));

  it("is not another node's, nor a foreign guest's", () => {
    expect(seen([one], ...reboot(2), "worker-10-leave delete")).toEqual([]);
    expect(strangerProblems(journal(...reboot(1), "guest 110 stop"), [one, two])).toEqual([
      "no node has this guest: guest 110 stop",
    ]);
  });

  describe("how many were down at the same time", () => {
    const away = (concurrency: number, nodes: readonly Standing[], ...whats: string[]): string[] =>
      awayProblems(seen(nodes, ...whats), concurrency);
    const turns = [...reboot(1), "worker-1-back look", ...reboot(2), "worker-2-back look"];

    it("is right if each was Ready before the next one went down, or if the config allows more", () => {
      expect(away(1, [one, two], ...turns)).toEqual([]);
      expect(away(2, [one, two], ...reboot(1), ...reboot(2), "worker-1-back look", "worker-2-back look")).toEqual([]);
      // A node that joins or leaves for good does not count.
      const [comes, goes] = [node(3, { was: undefined }), node(4, { is: undefined })];
      expect(
        away(1, [one, comes, goes], "guest 104 create", ...reboot(1), "guest 105 stop", "worker-1-back look"),
      ).toEqual([]);
    });

    it.each([
      ["before the first was checked", [...reboot(1), ...reboot(2), "worker-1-back look", "worker-2-back look"]],
      [
        "after a check that failed",
        [...reboot(1), "!worker-1-back look", ...reboot(2), "worker-2-back look", "worker-1-back look"],
      ],
    ])("is wrong if the second went down %s", (_, whats) =>
      expect(away(1, [one, two], ...whats)).toEqual(["worker-1, worker-2 are away at once when worker-2 goes"]),
    );

    it("counts rebuilds and restarts of K3s like reboots, from the drain to the check", () => {
      const nodes = [node(1, { is: 202 }), node(2, { hasNewK3s: true })];
      const [drain, ...rest] = rebuild;
      expect(away(1, nodes, drain!, "worker-2-k3s update", "worker-2-back look", ...rest)).toEqual([
        "worker-1, worker-2 are away at once when worker-2 goes",
      ]);
      expect(away(1, nodes, ...rebuild, "worker-2-k3s update", "worker-2-back look")).toEqual([]);
    });

    it("is wrong if one does not come back", () => {
      expect(away(1, [one], ...reboot(1))).toEqual(["worker-1 does not come back"]);
      expect(away(1, [node(1, { hasNewK3s: true })], "worker-1-k3s update")).toEqual(["worker-1 does not come back"]);
    });
  });

  it("happened in the announced order, the removals last", () => {
    const nodes = [one, two, node(3, { is: undefined })];
    const step = (index: number, phase: Step["phase"], ...after: string[]) =>
      ({ node: `worker-${index}`, phase, after }) as unknown as Step;
    const steps = [step(1, "turns"), step(2, "rebuilds", "worker-1"), step(3, "removals")];
    const [first, second] = [1, 2].map((index) => [...reboot(index), `worker-${index}-back look`]) as [
      string[],
      string[],
    ];
    const third = ["worker-3-leave delete", "guest 104 destroy"];
    const problemsOf = (...whats: string[]): string[] => turnProblems(seen(nodes, ...whats), steps);
    expect(problemsOf(...first, ...second, ...third)).toEqual([]);
    expect(problemsOf(...second, ...first, ...third)).toEqual(["worker-2 begins before worker-1 is done"]);
    expect(problemsOf(...first, third[0]!, ...second, third[1]!)).toEqual(["worker-3 begins before worker-2 is done"]);
  });
});

it("a config's workers have the lowest indices that are not retired, and the VMIDs for them", () => {
  const pool = { count: 2, retired: [1, 3], cores: 6, tier: "" };
  const nodes = wishedNodes({ lxc: pool, vm: { ...pool, count: 1, retired: [] } });
  expect(nodes.map(({ name, vmid, kind, cores }) => [name, vmid, kind, cores])).toEqual([
    ["k3s-master", 100, "lxc", 2],
    ["k3s-worker-02", 103, "lxc", 6],
    ["k3s-worker-04", 105, "lxc", 6],
    ["k3s-vm-1", 150, "vm", 6],
  ]);
});
