import * as fc from "fast-check";
import {
  decodeText,
  encodeText,
  parseGuestConfig,
  printGuestConfig,
  vmSyntax,
  withPending,
} from "../../../lab/pve/guestConfig";

const file = `#mark%3A one
#100%25 %C3%BC
arch: amd64
features: nesting=1,keyctl=1,fuse=1
hostname: k3s-master
memory: 4096
lxc.environment.runtime: A=1
lxc.environment.runtime: B=2
lxc.mount.entry: /dev/kmsg dev/kmsg none bind,rw,optional,create=file
lxc.apparmor.profile: unconfined
lxc.cap.drop: 
lxc.cgroup2.devices.allow: a
lxc.mount.auto: proc:rw sys:rw

[pve:pending]
memory: 8192
delete: nameserver

[before-upgrade]
#in a snapshot
memory: 2048
lxc.cap.drop: mac_admin
`;

const vmFile = `#mark%3A one
#100%25 %C3%BC
agent: enabled=1
allow-ksm: 0
ciuser: admin
net0: virtio=BC:24:11:00:00:01,bridge=vmbr0

[PENDING]
cores: 4
delete: serial0

[special:cloudinit]
added: searchdomain
ciuser: root

[before-upgrade]
cores: 2
`;

test("a virtual machine's file has other names of sections, no raw lines, and is written back byte for byte", () => {
  const parsed = parseGuestConfig(vmFile, () => {}, vmSyntax);
  expect(parsed.options.get("description")).toBe("mark: one\n100% ü");
  expect(parsed.options.get("allow-ksm")).toBe("0");
  expect([...parsed.pending.options, ...parsed.pending.deletions]).toEqual([["cores", "4"], "serial0"]);
  expect(parsed.cloudInit).toEqual(
    new Map([
      ["added", "searchdomain"],
      ["ciuser", "root"],
    ]),
  );
  expect([...parsed.snapshots.keys()]).toEqual(["before-upgrade"]);
  expect(printGuestConfig(parsed, vmSyntax)).toBe(vmFile);
});

describe("a guest's file", () => {
  test("is read by section, with raw lines in order", () => {
    const parsed = parseGuestConfig(file);
    expect(parsed.options.get("description")).toBe("mark: one\n100% ü\n");
    expect(parsed.options.get("memory")).toBe("4096");
    expect(parsed.options.get("env")).toBe("A=1\0B=2");
    expect(parsed.raw.map(([key]) => key)).toEqual([
      "lxc.mount.entry",
      "lxc.apparmor.profile",
      "lxc.cap.drop",
      "lxc.cgroup2.devices.allow",
      "lxc.mount.auto",
    ]);
    expect(parsed.raw[2]).toEqual(["lxc.cap.drop", ""]);
    expect(parsed.pending.options).toEqual(new Map([["memory", "8192"]]));
    expect(parsed.pending.deletions).toEqual(["nameserver"]);
    expect(parsed.snapshots.get("before-upgrade")?.options.get("memory")).toBe("2048");
    expect(parsed.snapshots.get("before-upgrade")?.raw).toEqual([["lxc.cap.drop", "mac_admin"]]);
  });

  test("is written back byte for byte", () => {
    // PVE writes `delete` among the sorted options of its section.
    const sorted = file.replace("memory: 8192\ndelete: nameserver", "delete: nameserver\nmemory: 8192");
    expect(printGuestConfig(parseGuestConfig(file))).toBe(sorted);
  });

  test("the next start applies pending changes and deletions", () => {
    const next = withPending(parseGuestConfig(`${file}`.replace("memory: 4096", "memory: 4096\nnameserver: 1.1.1.1")));
    expect(next.options.get("memory")).toBe("8192");
    expect(next.options.has("nameserver")).toBe(false);
  });

  test("lines that PVE cannot read are reported and left out", () => {
    const warnings: string[] = [];
    const parsed = parseGuestConfig("memory: 16\nnonsense\nlxc.rootfs.path: /x\ndelete: memory\n", (line) =>
      warnings.push(line),
    );
    expect(warnings).toEqual([
      "unable to parse config: nonsense",
      "unable to parse config: lxc.rootfs.path: /x",
      "unable to parse config: delete: memory",
    ]);
    expect(printGuestConfig(parsed)).toBe("memory: 16\n");
  });

  test("a raw line after a section's heading belongs to that section", () => {
    const parsed = parseGuestConfig("memory: 16\n\n[pve:pending]\nmemory: 32\nlxc.cap.drop:\n");
    expect(parsed.raw).toEqual([]);
    expect(parsed.pending.raw).toEqual([["lxc.cap.drop", ""]]);
  });

  test("any text survives the encoding of descriptions", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => decodeText(encodeText(text)) === text));
  });

  test("options of any text survive", () => {
    const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
    const options = fc.dictionary(fc.stringMatching(/^[a-z][a-z_]{0,8}[0-9]?$/), value);
    fc.assert(
      fc.property(options, (made) => {
        const own = Object.entries(made).filter(([key]) => !["description", "delete", "env"].includes(key));
        const text = own.map(([key, text]) => `${key}: ${text}\n`).join("");
        expect(Object.fromEntries(parseGuestConfig(printGuestConfig(parseGuestConfig(text))).options)).toEqual(
          Object.fromEntries(own),
        );
      }),
    );
  });
});
