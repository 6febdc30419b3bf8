import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { parse, stringify } from "yaml";

import type { Finding } from "../../cli/doctor/finding";
import { authorizedKeysLine, renderGate } from "../../remote/hostGate";
import { quote } from "../../remote/script";
import { labPaths } from "../../lab/lab";
import { stackFile } from "../../lab/stack";
import { finish, Lab } from "../support/lab";

/* The doctor on a good lab, and with real defects: each defect has its line and its remedy. */

jest.setTimeout(120_000);

const lab = new Lab("doctor");
const config = stackFile(lab.stack);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "doctor-"));
let sound: string;
let prefix: string;

beforeAll(async () => {
  await lab.down();
  await lab.up();
  sound = fs.readFileSync(config, "utf8");
  prefix = /198\.18\.\d+/.exec(sound)![0];
}, 40 * 60_000);
afterEach(() => fs.writeFileSync(config, sound));
afterAll(async () => {
  fs.rmSync(scratch, { recursive: true });
  await lab.down();
});

interface Diagnosis {
  readonly code: number;
  readonly seconds: number;
  readonly findings: readonly Finding[];
}

/** `npx proxmox-k3s doctor --json` in a person's shell, with some variables changed. */
async function doctor(changed: Readonly<Record<string, string>> = {}): Promise<Diagnosis> {
  const began = Date.now();
  const env = { ...lab.environment, ...changed };
  const { code, stdout, stderr } = await finish("npm", ["run", "-s", "doctor", "--", "--json"], env);
  expect(stderr).toBe("");
  const seconds = (Date.now() - began) / 1000;
  return { code, seconds, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings };
}

/** The findings that are not ok, `level check: seen → remedy`. */
const troubles = ({ findings }: Diagnosis): string[] =>
  findings
    .filter(({ level }) => level !== "ok")
    .map(({ level, check, seen, remedy }) => `${level} ${check}: ${seen}${remedy ? ` → ${remedy}` : ""}`);

// eslint-disable-next-line @typescript-eslint/no-explicit-any
function edit(change: (cluster: any) => void): void {
  const content = parse(sound);
  change(content.config["proxmox-k3s:cluster"]);
  fs.writeFileSync(config, stringify(content));
}

/** Another person's guest, by its configuration file: large, and with the address of a node that is still to be made. */
const stranger = (): string =>
  `arch: amd64\nhostname: nas\nmemory: 512\nnet0: name=eth0,bridge=vmbr0,ip=${prefix}.22/24\nrootfs: local-lvm:vm-103-disk-0,size=1020G\n`;
const status = "/var/lib/dpkg/status";
const sickness = (): string => `
  cp ${status} ${status}.sound
  sed -i '/^Package: pve-manager$/,/^$/s/^Version: .*/Version: 8.1.4/; /^Package: lxc-pve$/,/^$/s/^Version: .*/Version: 6.0.0-1/' ${status}
  echo 1 >/var/lib/pve-api/cgroup-mode
  mount -t tmpfs tmpfs /proc/sys/net/bridge
  sysctl -qw net.ipv4.ip_forward=0
  ip address add ${prefix}.21/32 dev vmbr0
  printf '%s' '${stranger()}' >/etc/pve/lxc/103.conf`;
const cure = (): string => `
  mv ${status}.sound ${status}
  rm -f /var/lib/pve-api/cgroup-mode /etc/pve/lxc/103.conf
  umount /proc/sys/net/bridge
  sysctl -qw net.ipv4.ip_forward=1
  ip address del ${prefix}.21/32 dev vmbr0`;

it("finds nothing on a good host, in seconds", async () => {
  const diagnosis = await doctor();
  expect(troubles(diagnosis)).toEqual([]);
  expect(diagnosis.code).toBe(0);
  expect(diagnosis.findings.length).toBeGreaterThan(20);
  expect(diagnosis.seconds).toBeLessThan(20);
});

it("changes nothing on the host, and the gate for the program's key allows it", async () => {
  const seen =
    "find /etc/pve /var/lib/proxmox-k3s -type f 2>/dev/null | sort | xargs sha256sum; ip address; sysctl net.ipv4";
  const key = `${scratch}/gated`;
  await finish("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key], process.env);
  const line = authorizedKeysLine(fs.readFileSync(`${key}.pub`, "utf8").trim());
  const install = `install -m 0755 /dev/stdin /usr/local/sbin/proxmox-k3s-gate; echo ${quote(line)} >>/root/.ssh/authorized_keys`;
  const before = await lab.hostWithInput(`${install}; ${seen}`, renderGate());
  expect(troubles(await doctor({ PROXMOX_K3S_HOST_SSH_KEY_FILE: key }))).toEqual([]);
  // Now the gate comes from another version of the program.
  const age = "sed -i 's/^script [0-9a-f]* preflight /script 0 preflight /' /usr/local/sbin/proxmox-k3s-gate";
  expect(await lab.host(`${seen}; ${age}`)).toBe(before);
  expect(troubles(await doctor({ PROXMOX_K3S_HOST_SSH_KEY_FILE: key }))).toEqual([
    expect.stringMatching(
      /^fail gate: proxmox-k3s-gate: the gate does not know the script with the SHA-256 .* → npx proxmox-k3s gate --install/,
    ),
    "skip host: not checked: the checks did not run on the host",
  ]);
});

describe("a host with defects", () => {
  beforeAll(() => lab.host(sickness()));
  afterAll(() => lab.host(cure()));
  beforeEach(() =>
    edit((cluster) => {
      cluster.network.bridge = "vmbr9";
      cluster.proxmox.template = "local:vztmpl/debian-99-standard_99.0-1_amd64.tar.zst";
      cluster.proxmox.osType = "debian";
      cluster.pools.master.storage = "local";
    }),
  );

  it("has a line and a remedy for each defect", async () => {
    const diagnosis = await doctor();
    expect(diagnosis.code).toBe(1);
    expect(troubles(diagnosis)).toEqual([
      "fail proxmox-version: Proxmox VE 8.1.4 is too old; this program needs 8.4 or newer → apt update && apt full-upgrade, or https://pve.proxmox.com/wiki/Upgrade_from_8_to_9",
      "warn lxc-pve: lxc-pve 6.0.0-1 is too old to start pods under AppArmor; 6.0.5-2 or newer can → apt update && apt full-upgrade",
      "fail cgroup: the host runs cgroup version 1, which kubelet refuses from 1.35 on → remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line, then reboot",
      "fail kernel-modules: not loaded, and a container cannot load them: br_netfilter → printf '%s\\n' overlay br_netfilter nf_conntrack vxlan nf_tables >/etc/modules-load.d/proxmox-k3s.conf && systemctl restart systemd-modules-load",
      "warn sysctls: lower than required: net.ipv4.ip_forward=1 → printf '%s\\n' net.ipv4.ip_forward=1 >/etc/sysctl.d/90-proxmox-k3s.conf && sysctl --system",
      "fail bridge: there is no bridge vmbr9; existing bridges: vmbr0 → set network.bridge, or create the bridge in the web interface: pve, System, Network",
      "fail storage: local does not allow containers (content: iso,snippets,vztmpl) → pvesm set local --content iso,snippets,vztmpl,rootdir",
      "fail space: local-lvm has 4 GiB free; 2 new machines need 100 GiB → free some space on local-lvm, or set another storage",
      "fail template: local:vztmpl/debian-99-standard_99.0-1_amd64.tar.zst does not exist → pveam update && pveam download local debian-99-standard_99.0-1_amd64.tar.zst",
      `fail address: ${prefix}.21, wanted for k3s-worker-01, is in use: something answers there → give k3s-worker-01 another address: addresses of its pool, or nodes: { <index>: { address: … } }`,
      'fail vmid: VMID 103, wanted for k3s-worker-02, belongs to the guest "nas" (/etc/pve/nodes/pve/lxc/103.conf), which is not ours → give k3s-worker-02 another VMID, for example 104: vmIds of its pool, or nodes: { <index>: { vmId: … } }',
      `warn address: ${prefix}.22, wanted for k3s-worker-02, is also the address of the guest "nas" (103), which does not answer now → give k3s-worker-02 another address: addresses of its pool, or nodes: { <index>: { address: … } }`,
    ]);
  });

  it("shows the same as text", async () => {
    const { code, stdout } = await finish("npm", ["run", "-s", "doctor"], lab.environment);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ bridge +there is no bridge vmbr9; existing bridges: vmbr0\n +→ set network\.bridge/m);
    expect(stdout).toMatch(/\d+ passed, 3 with a warning, 9 failed\n$/);
  });

  it("ends an up before a machine is made, with every failure in one error", async () => {
    const { code, stdout, stderr } = await lab.pulumi("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    const said = stdout + stderr;
    const failures = [
      "proxmox-version",
      "cgroup",
      "kernel-modules",
      "bridge",
      "storage",
      "space",
      "template",
      "address",
    ];
    for (const check of [...failures, "vmid"]) expect(said).toMatch(new RegExp(`^\\s+- ${check}: .* \\(.*\\)$`, "m"));
    expect(said).toContain("the Proxmox host is not ready, so no machine was created");
    expect(await lab.host("cd /etc/pve/lxc && ls")).toBe("103.conf\n");
    expect(await lab.host("cat /etc/pve/lxc/103.conf")).toBe(stranger());
  });
});

describe("storages that cannot take the containers", () => {
  const content = ["rootdir", "images"];
  const further = {
    tank: { type: "zfspool", content },
    thick: { type: "lvm", content, totalBytes: 8 * 1024 ** 3 },
    nas: { type: "lvmthin", content, active: false },
  };
  const file = "/var/lib/pve-api/further-storages.json";
  beforeAll(() => lab.hostWithInput(`cat >${file}`, JSON.stringify(further)));
  afterAll(() => lab.host(`rm ${file}`));

  it("are named: one on ZFS, a thick one with too little space, and an inactive one", async () => {
    edit((cluster) => {
      cluster.pools.master.storage = "tank";
      cluster.pools.worker.storage = "thick";
    });
    expect(troubles(await doctor())).toEqual([
      "fail storage: tank is ZFS, where the overlayfs of containers' root file systems does not work → set proxmox.storage to LVM-thin or to a directory on ext4 or XFS; or set snapshotter: native in k3s.serverConfig and k3s.agentConfig, which is slower and takes more space",
      "fail space: thick has 8 GiB free; 2 new machines need 100 GiB → free some space on thick, or set another storage",
    ]);
    edit((cluster) => (cluster.proxmox.storage = "nas"));
    expect(troubles(await doctor())).toEqual([
      "fail storage: nas is not active → find the cause with pvesm status on the Proxmox host",
    ]);
  });
});

describe("the connection to the host", () => {
  it("names a wrong host key, a refused token and a dead SSH agent", async () => {
    edit((cluster) => {
      cluster.proxmox.hostKey = fs.readFileSync(`${labPaths(lab.name).nodeKey}.pub`, "utf8").trim();
    });
    const socket = `${scratch}/agent`;
    await new Promise<void>((resolve) => {
      // A killed listener leaves its socket behind; one that closes removes it.
      const server = net.createServer().listen(socket, () => {
        fs.renameSync(socket, `${socket}.dead`);
        server.close(() => resolve());
      });
    });
    const token = lab.environment["PROXMOX_VE_API_TOKEN"]!.replace(/=.*/, "=11111111-2222-3333-4444-555555555555");
    const diagnosis = await doctor({ SSH_AUTH_SOCK: `${socket}.dead`, PROXMOX_VE_API_TOKEN: token });
    expect(diagnosis.code).toBe(1);
    const shown = /hostKey: (.*)/.exec(sound)![1]!.replaceAll('"', "");
    expect(troubles(diagnosis)).toEqual([
      `fail ssh-agent: SSH_AUTH_SOCK names ${socket}.dead, where no agent answers (ECONNREFUSED) → unset SSH_AUTH_SOCK`,
      "fail token: pulumi@pve!pulumi is refused: 401 Authentication failed! → check the token with pveum user token list pulumi@pve on the host, then pulumi config set --secret proxmoxApiToken pulumi@pve!pulumi=…",
      "skip privileges: not checked: the token is refused",
      "skip reach: not checked: the token is refused",
      `fail host-key: its host key is not proxmox.hostKey, but ${shown} → compare this key with /etc/ssh/ssh_host_ed25519_key.pub on the host itself; if they are the same, set proxmox.hostKey to it`,
      "skip host: not checked: the checks did not run on the host",
    ]);
  });

  it("names a certificate that is not trusted and a key that is refused", async () => {
    const diagnosis = await doctor({ SSL_CERT_FILE: "", PROXMOX_K3S_HOST_SSH_KEY_FILE: labPaths(lab.name).nodeKey });
    expect(diagnosis.code).toBe(1);
    expect(troubles(diagnosis)).toEqual([
      expect.stringMatching(/^fail tls: the API's certificate is not trusted: .* → scp root@.*pve-root-ca\.pem/),
      "skip token: not checked: the API cannot be used",
      "skip privileges: not checked: the API cannot be used",
      "skip reach: not checked: the API cannot be used",
      expect.stringMatching(
        /^fail ssh: root@\S+ refuses the key → add its public key to \/root\/\.ssh\/authorized_keys/,
      ),
      "skip host: not checked: the checks did not run on the host",
    ]);
  });

  it("names privileges that the token lacks, and their paths", async () => {
    const { stack } = lab;
    await lab.host("sed -i.sound '/^role:/{ s/SDN.Use,//; s/,VM.PowerMgmt// }' /etc/pve/user.cfg");
    const diagnosis = await doctor();
    await lab.host(`sed '/^acl:1:.pool.${stack}:/d' /etc/pve/user.cfg.sound >/etc/pve/user.cfg`);
    const ungranted = await doctor();
    await lab.host("mv /etc/pve/user.cfg.sound /etc/pve/user.cfg");
    expect(diagnosis.code).toBe(1);
    expect(troubles(diagnosis)).toEqual([
      `fail privileges: pulumi@pve!pulumi lacks VM.PowerMgmt at /pool/${stack}; SDN.Use at /sdn/zones/localnetwork/vmbr0 → pveum role modify PulumiK3s --append 1 --privs "VM.PowerMgmt"; pveum role modify PulumiK3sHost --append 1 --privs "SDN.Use" (docs/by-hand.md, "An API token")`,
    ]);
    expect(troubles(ungranted)).toEqual([
      expect.stringContaining(
        `→ pveum acl modify /pool/${stack} --users 'pulumi@pve' --tokens 'pulumi@pve!pulumi' --roles PulumiK3s (docs/by-hand.md`,
      ),
    ]);
  });

  it("warns about a token that may also change other guests", async () => {
    await lab.host("sed -i.sound '/^acl:1:.:/s/PulumiK3sHost/PulumiK3s,PulumiK3sHost/' /etc/pve/user.cfg");
    const reaching = await doctor();
    await lab.host("mv /etc/pve/user.cfg.sound /etc/pve/user.cfg");
    expect(reaching.code).toBe(0);
    expect(troubles(reaching)).toEqual([
      expect.stringMatching(
        /^warn reach: pulumi@pve!pulumi has VM\.Allocate, .* on all guests of the host, but needs it only in the resource pool \S+ → grant PulumiK3s at \/pool\/\S+ instead of/,
      ),
    ]);
  });

  it("names an API and an SSH server that do not answer, and a config without a possible plan", async () => {
    edit((cluster) => {
      cluster.proxmox.endpoint = `https://${prefix}.1:8007/`;
      cluster.proxmox.sshPort = 2222;
    });
    expect(troubles(await doctor())).toEqual([
      expect.stringMatching(/^fail api: https:\/\/\S+:8007\/ does not answer: .*ECONNREFUSED.* → check proxmox\.host/),
      ...["tls", "token", "privileges", "reach"].map(
        (check) => expect.stringMatching(new RegExp(`^skip ${check}:`)) as string,
      ),
      expect.stringMatching(
        /^fail ssh: root@\S+ does not answer: .*ECONNREFUSED.* → check proxmox\.host and proxmox\.sshPort/,
      ),
      "skip host-key: not checked: no answer",
      "skip host: not checked: the checks did not run on the host",
    ]);
    edit((cluster) => {
      cluster.network.gateway = "10.0.0.1";
      cluster.pools.worker.memroy = "1GB";
    });
    expect(troubles(await doctor()).map((line) => line.replace(/ .*?: /, " "))).toEqual([
      expect.stringMatching(/^fail .*gateway/),
      expect.stringMatching(/^fail .*memroy/),
    ]);
  });
});
