import fc from "fast-check";
import { parseDiskGiB, parseDurationSeconds, parseMemoryMiB } from "../../../config/units";

describe("memory", () => {
  test.each([
    ["4GB", 4096],
    ["4GiB", 4096],
    ["4gb", 4096],
    ["8 GB", 8192],
    ["1.5GB", 1536],
    ["512MB", 512],
    ["512MiB", 512],
    ["1TB", 1048576],
    ["0MB", 0],
  ])("%s is %d MiB", (text, mebibytes) => expect(parseMemoryMiB(text)).toBe(mebibytes));

  test.each(["4096", "4G", "4KB", "-4GB", "GB", "", "4GB 2MB", "0.3MB", "1e3MB", "4 G B"])(
    "%j is no size of memory",
    (text) => expect(parseMemoryMiB(text)).toBeUndefined(),
  );

  test("GB is 1024 MB, as in Proxmox VE", () => {
    fc.assert(
      fc.property(fc.nat(100_000), (size) => parseMemoryMiB(`${size}GB`) === parseMemoryMiB(`${size * 1024}MB`)),
    );
  });
});

describe("disk", () => {
  test.each([
    ["32GB", 32],
    ["50GiB", 50],
    ["1TB", 1024],
    ["2048MB", 2],
  ])("%s is %d GiB", (text, gibibytes) => expect(parseDiskGiB(text)).toBe(gibibytes));

  test.each(["1500MB", "1.5GB", "32", "32G"])("%j is no size of a disk", (text) =>
    expect(parseDiskGiB(text)).toBeUndefined(),
  );
});

describe("duration", () => {
  test.each([
    ["90s", 90],
    ["10m", 600],
    ["2h", 7200],
    ["1h30m", 5400],
    ["1h0m5s", 3605],
  ])("%s is %d seconds", (text, seconds) => expect(parseDurationSeconds(text)).toBe(seconds));

  test.each(["", "10", "10min", "5m5m", "30s1h", "1.5h", "-1m", "PT10M"])("%j is no duration", (text) =>
    expect(parseDurationSeconds(text)).toBeUndefined(),
  );
});
