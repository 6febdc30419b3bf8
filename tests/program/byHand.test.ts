import { diskTooLarge } from "../../components/machine/byHand";
import { unknownNetworks, writesNetworks } from "../../components/machine/writesNetworks";

/** tests/engine/byHand.test.ts shows the effect with the real engine, client and API. */

const own = { name: "eth0", bridge: "vmbr0" };
const added = { name: "eth1", bridge: "vmbr0" };
const address = { ipv4: { address: "192.168.2.21/24", gateway: "192.168.2.1" } };
describe("a change that writes the interfaces of a guest", () => {
  const inputs = {
    networkInterfaces: [own],
    initialization: { hostname: "w", ipConfigs: [address] },
    cpu: { cores: 4 },
  };
  const writes = (newInputs: object): boolean =>
    writesNetworks({ oldInputs: inputs, newInputs } as unknown as Parameters<typeof writesNetworks>[0]);

  it.each([
    [false, { cpu: { cores: 8 } }],
    [false, { initialization: { hostname: "other", ipConfigs: [address] } }],
    [true, { networkInterfaces: [{ ...own, bridge: "vmbr1" }] }],
    [true, { initialization: { hostname: "w", ipConfigs: [{ ipv4: { address: "192.168.2.31/24" } }] } }],
  ])("%s: %j", (expected, change) => {
    expect(writes({ ...inputs, ...change })).toBe(expected);
  });

  it("ignores what only a refresh added to the inputs", () => {
    expect(writes({ ...inputs, networkInterfaces: [own, added], cpu: { cores: 8 } })).toBe(false);
  });
});

it("finds interfaces that the program did not know when it read its state", () => {
  const of = (newInputs: object, oldOutputs: object) =>
    unknownNetworks({ newInputs, oldOutputs } as unknown as Parameters<typeof unknownNetworks>[0]);
  expect(of({ networkInterfaces: [own] }, { networkInterfaces: [own, added] })).toEqual(["eth1"]);
  expect(of({ networkInterfaces: [own, added] }, { networkInterfaces: [own, added] })).toEqual([]);
});

it("names both sizes of a disk and both solutions", () => {
  expect(diskTooLarge("w", 80, 50)).toBe(
    "w: its disk has 80GB, the config says 50GB, and a disk cannot shrink; it was not changed\n" +
      "next:  set disk: 80GB in the config, then pulumi up; for a smaller disk, retire the node and add another",
  );
});
