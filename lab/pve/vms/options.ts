import { numbered, optional, required, type ParameterTable, type Schema } from "../schema/schema";
import type { PropertyFormat } from "../schema/propertyString";

// The options of a virtual machine, from the official schema of 9.2.3 and the source of qemu-server 9.2 (`PVE::QemuServer`).

const text = optional("string");
const flag = optional("boolean");
const count = optional("integer");
const positive = optional("integer", { minimum: 1 });

/** Limits of throughput in MB, bytes and operations, with times for bursts. */
const throttles: ParameterTable = Object.fromEntries([
  ...["mbps", "mbps_max", "mbps_rd", "mbps_rd_max", "mbps_wr", "mbps_wr_max"].map((key) => [key, optional("number")]),
  ...["bps", "bps_rd", "bps_wr"].map((key) => [key, count]),
  ...["iops", "iops_max", "iops_rd", "iops_rd_max", "iops_wr", "iops_wr_max"].map((key) => [key, count]),
  ...["bps", "iops"].flatMap((unit) =>
    ["", "_rd", "_wr"].map((direction) => [`${unit}${direction}_max_length`, positive]),
  ),
]) as ParameterTable;

const throttleAliases = Object.fromEntries(
  ["bps", "iops"].flatMap((unit) =>
    ["_rd", "_wr"].map((direction) => [`${unit}${direction}_length`, `${unit}${direction}_max_length`]),
  ),
);

const file = required("string", { format: "pve-volume-id-or-qm-path" });
const size = optional("string", { format: "disk-size" });
const importFrom = { "import-from": optional("string", { format: "pve-volume-id-or-absolute-path" }) };

const driveParts: ParameterTable = {
  ...{ file, size, ...importFrom, ...throttles },
  aio: optional("string", { enum: ["native", "threads", "io_uring"] }),
  backup: flag,
  cache: optional("string", { enum: ["none", "writethrough", "writeback", "unsafe", "directsync"] }),
  detect_zeroes: flag,
  discard: optional("string", { enum: ["ignore", "on"] }),
  format: optional("string", { enum: ["raw", "qcow", "qed", "qcow2", "vmdk", "cloop"] }),
  media: optional("string", { enum: ["cdrom", "disk"] }),
  ...{ replicate: flag, shared: flag, snapshot: flag },
  rerror: optional("string", { enum: ["ignore", "report", "stop"] }),
  werror: optional("string", { enum: ["enospc", "ignore", "report", "stop"] }),
  serial: optional("string", { format: "urlencoded", maxLength: 60 }),
};

const solidState: ParameterTable = { ssd: flag, wwn: optional("string", { pattern: /^(0x)[0-9a-fA-F]{16}/ }) };

function drive(properties: ParameterTable): PropertyFormat {
  return {
    properties: { ...driveParts, ...properties },
    defaultKey: "file",
    aliases: { volume: "file", ...throttleAliases },
  };
}

/** The parts of a drive by its interface. */
export const driveFormats: Readonly<Record<string, PropertyFormat>> = {
  ide: drive({ ...solidState, model: optional("string", { format: "urlencoded", maxLength: 120 }) }),
  sata: drive(solidState),
  scsi: drive({
    ...{ ...solidState, iothread: flag, scsiblock: flag, ro: flag },
    queues: optional("integer", { minimum: 2 }),
    product: optional("string", { pattern: /^[A-Za-z0-9\-_\s]{0,16}$/ }),
    vendor: optional("string", { pattern: /^[A-Za-z0-9\-_\s]{0,8}$/ }),
  }),
  virtio: drive({ iothread: flag, ro: flag }),
  efidisk: {
    properties: {
      ...{ file, size, ...importFrom },
      format: driveParts["format"]!,
      efitype: optional("string", { enum: ["2m", "4m"] }),
      "ms-cert": optional("string", { enum: ["2011", "2023", "2023w", "2023k"] }),
      "pre-enrolled-keys": flag,
    },
    defaultKey: "file",
    aliases: { volume: "file" },
  },
  tpmstate: {
    properties: {
      ...{ file, size, ...importFrom },
      format: optional("string", { enum: ["raw", "qcow2", "vmdk"] }),
      version: optional("string", { enum: ["v1.2", "v2.0"] }),
    },
    defaultKey: "file",
    aliases: { volume: "file" },
  },
};

const networkModels = [
  ...["e1000", "e1000-82540em", "e1000-82544gc", "e1000-82545em", "e1000e", "i82551", "i82557b", "i82559er"],
  ...["ne2k_isa", "ne2k_pci", "pcnet", "rtl8139", "virtio", "vmxnet3"],
];

export const vmNetworkFormat: PropertyFormat = {
  properties: {
    model: required("string", { enum: networkModels }),
    macaddr: optional("string", { format: "mac-addr" }),
    bridge: optional("string", { format: "pve-bridge-id" }),
    ...{ firewall: flag, link_down: flag },
    mtu: optional("integer", { minimum: 1, maximum: 65520 }),
    queues: optional("integer", { minimum: 0, maximum: 64 }),
    rate: optional("number", { minimum: 0 }),
    tag: optional("integer", { minimum: 1, maximum: 4094 }),
    trunks: optional("string", { pattern: /^\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*$/ }),
  },
  defaultKey: "model",
  joined: { key: "model", value: "macaddr" },
};

export const agentFormat: PropertyFormat = {
  properties: {
    ...{ enabled: required("boolean"), "freeze-fs": flag, fstrim_cloned_disks: flag },
    type: optional("string", { enum: ["virtio", "isa"] }),
  },
  defaultKey: "enabled",
  aliases: { "freeze-fs-on-backup": "freeze-fs", "guest-fsfreeze": "freeze-fs" },
};

export const machineFormat: PropertyFormat = {
  properties: {
    type: optional("string", {
      maxLength: 40,
      pattern:
        /^(pc|pc(-i440fx)?-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|q35|pc-q35-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|virt(?:-\d+(\.\d+)+)?(\+pve\d+)?)$/,
    }),
    "aw-bits": optional("number", { minimum: 32, maximum: 64 }),
    ...{ "enable-s3": flag, "enable-s4": flag },
    viommu: optional("string", { enum: ["intel", "virtio"] }),
  },
  defaultKey: "type",
};

export const memoryFormat: PropertyFormat = {
  properties: { current: required("integer", { minimum: 16 }) },
  defaultKey: "current",
};

const cpuList = { pattern: /^\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*$/ };
const properties = (format: PropertyFormat): Schema => optional("string", { format });

const drives: ParameterTable = {
  ...numbered("ide", 4, properties(driveFormats["ide"]!)),
  ...numbered("scsi", 31, properties(driveFormats["scsi"]!)),
  ...numbered("virtio", 16, properties(driveFormats["virtio"]!)),
  ...numbered("sata", 6, properties(driveFormats["sata"]!)),
  efidisk0: properties(driveFormats["efidisk"]!),
  tpmstate0: properties(driveFormats["tpmstate"]!),
};

/** Names of drives in PVE's order: the first one is the default boot disk. */
export const driveNames: readonly string[] = Object.keys(drives);
export const unusedNames: readonly string[] = Array.from({ length: 256 }, (_, index) => `unused${index}`);

export function isDriveKey(key: string): boolean {
  return Object.hasOwn(drives, key);
}

/** Options that determine the content of the cloud-init drive. */
export const cloudInitOptions: ParameterTable = {
  cicustom: optional("string", { format: "pve-qm-cicustom" }),
  cipassword: text,
  citype: optional("string", { enum: ["configdrive2", "nocloud", "opennebula"] }),
  ciupgrade: flag,
  ciuser: text,
  nameserver: optional("string", { format: "address-list" }),
  searchdomain: text,
  sshkeys: optional("string", { format: "urlencoded" }),
  ...numbered("ipconfig", 32, optional("string", { format: "pve-qm-ipconfig" })),
};

/** `$confdesc`: every option that the API takes. */
export const vmOptions: ParameterTable = {
  ...drives,
  ...cloudInitOptions,
  ...numbered("net", 32, properties(vmNetworkFormat)),
  ...numbered(
    "unused",
    256,
    properties({
      properties: { file: required("string", { format: "pve-volume-id" }) },
      defaultKey: "file",
      aliases: { volume: "file" },
    }),
  ),
  ...{ acpi: flag, "allow-ksm": flag, autostart: flag, freeze: flag, keephugepages: flag, kvm: flag, localtime: flag },
  ...{ numa: flag, onboot: flag, protection: flag, reboot: flag, tablet: flag, tdf: flag, template: flag },
  affinity: optional("string", { format: "pve-cpuset" }),
  agent: properties(agentFormat),
  "amd-sev": optional("string", { format: "pve-qemu-sev-fmt" }),
  arch: optional("string", { enum: ["x86_64", "aarch64"] }),
  args: text,
  audio0: properties({
    properties: {
      device: required("string", { enum: ["ich9-intel-hda", "intel-hda", "AC97"] }),
      driver: optional("string", { enum: ["spice", "none"] }),
    },
  }),
  balloon: optional("integer", { minimum: 0 }),
  bios: optional("string", { enum: ["seabios", "ovmf"] }),
  boot: optional("string", { format: "pve-qm-boot" }),
  bootdisk: optional("string", { format: "pve-qm-bootdisk", pattern: /^(ide|sata|scsi|virtio)\d+$/ }),
  cdrom: optional("string", { format: "pve-qm-ide" }),
  cores: positive,
  cpu: optional("string", { format: "pve-vm-cpu-conf" }),
  cpulimit: optional("number", { minimum: 0, maximum: 128 }),
  cpuunits: optional("integer", { minimum: 1, maximum: 262_144 }),
  description: optional("string", { maxLength: 8192 }),
  hookscript: optional("string", { format: "pve-volume-id" }),
  ...numbered("hostpci", 16, optional("string", { format: "pve-qm-hostpci" })),
  hotplug: optional("string", { format: "pve-hotplug-features" }),
  hugepages: optional("string", { enum: ["any", "2", "1024"] }),
  "intel-tdx": optional("string", { format: "pve-qemu-tdx-fmt" }),
  ivshmem: properties({
    properties: {
      name: optional("string", { pattern: /^[a-zA-Z0-9-]+$/ }),
      size: required("integer", { minimum: 1 }),
    },
  }),
  keyboard: optional("string", {
    enum: [
      ...["de", "de-ch", "da", "en-gb", "en-us", "es", "fi", "fr", "fr-be", "fr-ca", "fr-ch", "hu", "is", "it"],
      ...["ja", "lt", "mk", "nl", "no", "pl", "pt", "pt-br", "sv", "sl", "tr"],
    ],
  }),
  lock: optional("string", {
    enum: [
      ...["backup", "clone", "create", "migrate", "rollback", "snapshot", "snapshot-delete"],
      ...["suspending", "suspended"],
    ],
  }),
  machine: properties(machineFormat),
  memory: properties(memoryFormat),
  migrate_downtime: optional("number", { minimum: 0 }),
  migrate_speed: optional("integer", { minimum: 0 }),
  name: optional("string", { format: "dns-name" }),
  ...numbered(
    "numa",
    8,
    properties({
      properties: {
        cpus: required("string", cpuList),
        hostnodes: optional("string", cpuList),
        memory: optional("number"),
        policy: optional("string", { enum: ["preferred", "bind", "interleave"] }),
      },
    }),
  ),
  ostype: optional("string", {
    enum: [
      ...["other", "wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11"],
      ...["l24", "l26", "solaris"],
    ],
  }),
  ...numbered("parallel", 3, optional("string", { pattern: /^(\/dev\/parport\d+|\/dev\/usb\/lp\d+)$/ })),
  rng0: optional("string", { format: "pve-qm-rng" }),
  scsihw: optional("string", {
    enum: ["lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi"],
  }),
  ...numbered("serial", 4, optional("string", { pattern: /^(\/dev\/[^,]+|socket)$/ })),
  shares: optional("integer", { minimum: 0, maximum: 50_000 }),
  smbios1: optional("string", { format: "pve-qm-smbios1", maxLength: 512 }),
  smp: positive,
  sockets: positive,
  spice_enhancements: properties({
    properties: { foldersharing: flag, videostreaming: optional("string", { enum: ["off", "all", "filter"] }) },
  }),
  startdate: optional("string", { pattern: /^(now|\d{4}-\d{1,2}-\d{1,2}(T\d{1,2}:\d{1,2}:\d{1,2})?)$/ }),
  startup: optional("string", { format: "pve-startup-order" }),
  tags: optional("string", { format: "pve-tag-list" }),
  ...numbered(
    "usb",
    14,
    properties({
      properties: { host: text, mapping: optional("string", { format: "pve-configid" }), usb3: flag },
      defaultKey: "host",
    }),
  ),
  vcpus: positive,
  vga: properties({
    properties: {
      type: optional("string", {
        enum: [
          ...["cirrus", "qxl", "qxl2", "qxl3", "qxl4", "none", "serial0", "serial1", "serial2", "serial3"],
          ...["std", "virtio", "virtio-gl", "vmware"],
        ],
      }),
      clipboard: optional("string", { enum: ["vnc"] }),
      memory: optional("integer", { minimum: 4, maximum: 512 }),
    },
    defaultKey: "type",
  }),
  ...numbered(
    "virtiofs",
    10,
    properties({
      properties: {
        dirid: required("string", { format: "pve-configid" }),
        cache: optional("string", { enum: ["auto", "always", "metadata", "never"] }),
        ...{ "direct-io": flag, "expose-acl": flag, "expose-xattr": flag },
      },
      defaultKey: "dirid",
    }),
  ),
  vmgenid: optional("string", { pattern: /^(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])$/ }),
  vmstatestorage: optional("string", { format: "pve-storage-id" }),
  watchdog: optional("string", { format: "pve-qm-watchdog" }),
};

/** Every option that a configuration may hold: that of a snapshot also has its time. */
export const readVmOptions: ParameterTable = { ...vmOptions, snaptime: count };
