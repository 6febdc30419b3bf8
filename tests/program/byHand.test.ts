import { diskTooLarge } from "../../components/machine/byHand";
import { withoutFurther, writesNetworks } from "../../components/machine/furtherNetworks";

/** What becomes of it on the real engine, client and API: tests/engine/byHand.test.ts. */

const own = { name: "eth0", bridge: "vmbr0" };
const added = { name: "eth1", bridge: "vmbr0" };
const address = { ipv4: { address: "192.168.2.21/24", gateway: "192.168.2.1" } };
const container = (networkInterfaces: readonly object[], ipConfigs: readonly object[]) => ({
  urn: "urn:worker",
  inputs: { vmId: 102 },
  outputs: { memory: { dedicated: 8192 }, networkInterfaces, initialization: { hostname: "w", ipConfigs } },
});

describe("network interfaces that somebody added", () => {
  const below = { urn: "urn:below" };

  it("are forgotten with their addresses, and nothing else is", () => {
    const second = { ipv4: { address: "198.18.9.3/24" } };
    expect(withoutFurther([container([own, added], [address, second]), below])).toEqual({
      newState: [container([own], [address]), below],
    });
    expect(withoutFurther([container([own, added], [address])])).toEqual({ newState: [container([own], [address])] });
  });

  it("are forgotten in the provider's own notes too, which fit no shorter list", () => {
    const element = { obj: { renamed: { macAddress: "mac" } } };
    const notes = (...indices: readonly number[]) => {
      const el = Object.fromEntries(indices.map((index) => [index, element]));
      const initialization = { plu: { i: { obj: { ps: { ipConfigs: { arr: { el } }, hostname: { num: {} } } } } } };
      return { obj: { ps: { networkInterfaces: { arr: { el } }, initialization, tags: { arr: { el: { 1: {} } } } } } };
    };
    const state = container([own, added], [address, address]);
    const noted = { ...state, outputs: { ...state.outputs, __pulumi_raw_state_delta: notes(0, 1) } };
    const { newState } = withoutFurther([noted])!;
    expect(newState[0]!["outputs"]).toMatchObject({ networkInterfaces: [own] });
    expect((newState[0]!["outputs"] as object)["__pulumi_raw_state_delta" as never]).toEqual(notes(0));
  });

  it("are none where there is one: the state stays as it is", () => {
    expect(withoutFurther([container([own], [address]), below])).toBeUndefined();
    expect(withoutFurther([{ urn: "urn:worker" }])).toBeUndefined();
  });
});

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

  it("is any, where the state still holds more of them than the config", () => {
    expect(writes(inputs, { networkInterfaces: [own, added] })).toBe(true);
  });
});

it("names a disk's both sizes and both ways out", () => {
  expect(diskTooLarge("w", 80, 50)).toBe(
    "w: its disk has 80GB, the config says 50GB, and a disk cannot shrink; it was not changed\n" +
      "next:  set disk: 80GB in the config, then pulumi up; for a smaller disk, retire the node and add another",
  );
});
