import { diskTooLarge } from "../../components/machine/byHand";
import { writesNetworks } from "../../components/machine/writesNetworks";

/** What becomes of it on the real engine, client and API: tests/engine/byHand.test.ts. */

const own = { name: "eth0", bridge: "vmbr0" };
const added = { name: "eth1", bridge: "vmbr0" };
const address = { ipv4: { address: "192.168.2.21/24", gateway: "192.168.2.1" } };
describe("a change that writes the interfaces of a guest", () => {
  const inputs = {
    networkInterfaces: [own],
    initialization: { hostname: "w", ipConfigs: [address] },
    cpu: { cores: 4 },
  };
  const writes = (newInputs: object, oldOutputs: object = inputs): boolean =>
    writesNetworks({ oldInputs: inputs, newInputs, oldOutputs } as unknown as Parameters<typeof writesNetworks>[0]);

  it.each([
    [false, { cpu: { cores: 8 } }],
    [false, { initialization: { hostname: "other", ipConfigs: [address] } }],
    [true, { networkInterfaces: [{ ...own, bridge: "vmbr1" }] }],
    [true, { initialization: { hostname: "w", ipConfigs: [{ ipv4: { address: "192.168.2.31/24" } }] } }],
  ])("%s: %j", (expected, change) => {
    expect(writes({ ...inputs, ...change })).toBe(expected);
  });

  it("is any, where the state holds more of them than the program asks for", () => {
    expect(writes(inputs, { networkInterfaces: [own, added] })).toBe(true);
  });

  it("is none where the program hands back what a refresh has seen", () => {
    const further = { ...inputs, networkInterfaces: [own, added], cpu: { cores: 8 } };
    expect(writes(further, { networkInterfaces: [own, added] })).toBe(false);
  });
});

it("names a disk's both sizes and both ways out", () => {
  expect(diskTooLarge("w", 80, 50)).toBe(
    "w: its disk has 80GB, the config says 50GB, and a disk cannot shrink; it was not changed\n" +
      "next:  set disk: 80GB in the config, then pulumi up; for a smaller disk, retire the node and add another",
  );
});
