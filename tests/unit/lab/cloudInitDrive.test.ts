import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { guestConfig } from "../../../lab/pve/guestConfig";
import { cloudInitContent, hostDns } from "../../../lab/vms/cloudInitDrive";

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ k3s";
const config = (more: Readonly<Record<string, string>> = {}) =>
  guestConfig(
    Object.entries({
      ...{ name: "k3s-worker-01", ciuser: "root", ciupgrade: "0", sshkeys: encodeURIComponent(key) },
      ...{ net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0", ipconfig0: "ip=198.18.1.21/24,gw=198.18.1.1" },
      ...more,
    }),
  );
const host = { nameservers: ["198.18.1.1"], search: [] };
const none = (volid: string) => {
  throw new Error(`unexpected volume ${volid}`);
};

test("the drive has the four files of a NoCloud source, and a new identity with each change", () => {
  const files = cloudInitContent(101, config(), host, none);
  expect(files).toEqual({
    "user-data": `#cloud-config
hostname: k3s-worker-01
manage_etc_hosts: true
fqdn: k3s-worker-01
user: root
disable_root: False
ssh_authorized_keys:
  - ${key}
chpasswd:
  expire: False
`,
    "network-config": `version: 1
config:
    - type: physical
      name: eth0
      mac_address: 'bc:24:11:00:00:01'
      subnets:
      - type: static
        address: '198.18.1.21'
        netmask: '255.255.255.0'
        gateway: '198.18.1.1'
    - type: nameserver
      address:
      - '198.18.1.1'
`,
    "meta-data": `instance-id: ${createHash("sha1")
      .update(files["user-data"]! + files["network-config"]!)
      .digest("hex")}\n`,
    "vendor-data": "",
  });
  expect(cloudInitContent(101, config({ name: "other" }), host, none)["meta-data"]).not.toBe(files["meta-data"]);
});

test("a snippet replaces the generated file, and changes the identity", () => {
  const snippets = config({ cicustom: "vendor=local:snippets/agent.yaml,user=local:snippets/user.yaml" });
  const files = cloudInitContent(101, snippets, host, (volid) => `#cloud-config\n# ${volid}\n`);
  expect(files["user-data"]).toBe("#cloud-config\n# local:snippets/user.yaml\n");
  expect(files["vendor-data"]).toBe("#cloud-config\n# local:snippets/agent.yaml\n");
  expect(files["meta-data"]).not.toBe(cloudInitContent(101, config(), host, none)["meta-data"]);
});

test("a machine without its own DNS servers has the host's", () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "resolv-")), "resolv.conf");
  fs.writeFileSync(file, "# by hand\nsearch lab example.com\nnameserver 198.18.1.1\nnameserver 198.18.1.2\n");
  expect(hostDns(file)).toEqual({ nameservers: ["198.18.1.1", "198.18.1.2"], search: ["lab", "example.com"] });
  fs.rmSync(path.dirname(file), { recursive: true });
});
