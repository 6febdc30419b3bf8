import type { Entry } from "../support/journal";
import { orderProblems } from "../support/sequences/promises";
import { wishedNodes } from "../support/sequences/wish";

/** The judges of the random sequences (tests/engine/sequences.test.ts) see what they are there to see. */

/** Things that happened one after another; `!` before a script makes it fail. */
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
  it("is right when the leave ended before the machine went, and when nothing had joined yet", () => {
    expect(problems(LEAVE, DESTROY)).toEqual([]);
    expect(problems(LEAVE, DESTROY, CREATE, K3S, LEAVE, DESTROY)).toEqual([]);
    expect(problems(LEAVE, DESTROY, CREATE, DESTROY)).toEqual([]);
  });

  it("is wrong without a leave, with one that failed, and with one of an earlier life", () => {
    expect(problems(DESTROY)).toEqual([TOO_EARLY]);
    expect(problems(`!${LEAVE}`, DESTROY)).toEqual([TOO_EARLY]);
    expect(problems(LEAVE, DESTROY, CREATE, K3S, DESTROY)).toEqual([TOO_EARLY]);
    expect(problems(LEAVE, "k3s-worker-01-k3s update", DESTROY)).toEqual([TOO_EARLY]);
  });

  it("is wrong when the leave comes after its machine, or ends after the machine's end began", () => {
    expect(problems(LEAVE, DESTROY, LEAVE)).toEqual(["k3s-worker-01 left after its machine had gone"]);
    const [leave, destroy] = journal(LEAVE, DESTROY) as [Entry, Entry];
    expect(orderProblems([{ ...leave, ended: 9 }, destroy], new Set())).toEqual([TOO_EARLY]);
  });

  it("is nobody's promise for a machine that was destroyed by hand", () => {
    const entries = journal(DESTROY, LEAVE);
    expect(orderProblems(entries, new Set(entries.slice(0, 1)))).toEqual([]);
    // The second is Proxmox VE's: it clears away what a creation that failed had begun.
    const again = journal(DESTROY, DESTROY);
    expect(orderProblems(again, new Set(again.slice(0, 1)))).toEqual([]);
  });
});

it("a wish's workers have the lowest indices that are not retired, and the VMIDs that follow from them", () => {
  const nodes = wishedNodes({ count: 2, retired: [1, 3], cores: 6, tier: "" });
  expect(nodes.map(({ name, vmid, cores }) => [name, vmid, cores])).toEqual([
    ["k3s-master", 100, 2],
    ["k3s-worker-02", 103, 6],
    ["k3s-worker-04", 105, 6],
  ]);
});
