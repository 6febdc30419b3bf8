import { driveFormats, vmNetworkFormat } from "../../../lab/pve/vms/options";
import { parsePropertyString, printPropertyString } from "../../../lab/pve/schema/propertyString";

test.each([
  ["virtio=BC:24:11:00:00:01,bridge=vmbr0", { model: "virtio", macaddr: "BC:24:11:00:00:01", bridge: "vmbr0" }],
  ["model=virtio,macaddr=BC:24:11:00:00:01", { model: "virtio", macaddr: "BC:24:11:00:00:01" }],
  ["e1000", { model: "e1000" }],
])("a network has its model and its address in one part or in two: %s", (text, parts) => {
  expect(parsePropertyString(text, vmNetworkFormat)).toEqual(parts);
});

test("it is printed in one part", () => {
  const parts = { bridge: "vmbr0", firewall: "0", macaddr: "BC:24:11:00:00:01", model: "virtio" };
  expect(printPropertyString(parts, vmNetworkFormat)).toBe("virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=0");
  expect(printPropertyString({ model: "virtio", bridge: "vmbr0" }, vmNetworkFormat)).toBe("virtio,bridge=vmbr0");
});

test("a part may have another name, and may be there only once", () => {
  const scsi = driveFormats["scsi"]!;
  expect(parsePropertyString("volume=local-lvm:8,discard=on", scsi)).toEqual({ file: "local-lvm:8", discard: "on" });
  expect(() => parsePropertyString("local-lvm:8,volume=local-lvm:9", scsi)).toThrow("duplicate key");
  expect(() => parsePropertyString("virtio=BC:24:11:00:00:01,e1000=BC:24:11:00:00:02", vmNetworkFormat)).toThrow(
    "duplicate key",
  );
});
