import fc from "fast-check";
import { contains, fromNumber, overlap, prefixOf, rangeOf, toNumber } from "../../../plan/network";

/** A network in CIDR form from a small range, so that random pairs often touch or overlap. */
const cidr = fc
  .record({ prefix: fc.integer({ min: 24, max: 32 }), address: fc.nat(511) })
  .map(({ prefix, address }) => {
    const size = 2 ** (32 - prefix);
    return `${fromNumber(toNumber("10.0.0.0") + Math.floor(address / size) * size)}/${prefix}`;
  });

const addressesOf = (network: string): string[] => {
  const { first, last } = rangeOf(network);
  return Array.from({ length: last - first + 1 }, (_, at) => fromNumber(first + at) ?? "");
};

test("a network has as many addresses as its prefix says, and contains them all", () => {
  fc.assert(
    fc.property(cidr, (network) => {
      const addresses = addressesOf(network);
      expect(addresses).toHaveLength(2 ** (32 - prefixOf(network)));
      expect(addresses.every((address) => contains(rangeOf(network), address))).toBe(true);
    }),
  );
});

test("two networks overlap when they share an address, down to a single one", () => {
  fc.assert(
    fc.property(cidr, cidr, (one, other) => {
      const shared = addressesOf(one).some((address) => contains(rangeOf(other), address));
      expect(overlap(rangeOf(one), rangeOf(other))).toBe(shared);
    }),
    {
      examples: [
        ["10.0.0.0/24", "10.0.0.255/32"],
        ["10.0.0.0/32", "10.0.0.0/24"],
        ["10.0.0.0/25", "10.0.0.128/25"],
      ],
    },
  );
});

test("an address and its number are the same", () => {
  fc.assert(fc.property(fc.ipV4(), (address) => expect(fromNumber(toNumber(address))).toBe(address)));
  expect(fromNumber(2 ** 32)).toBeUndefined();
});
