import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import Ajv from "ajv";
import * as fc from "fast-check";
import { parse } from "yaml";

import { judgeBareHost } from "../../../cli/doctor/bareHost";
import { description } from "../../../cli/init/description";
import { differences } from "../../../cli/init/differences";
import { type HostFacts, judgeCertificate, parseFacts } from "../../../cli/init/facts";
import { freeAddresses, freeVmIds } from "../../../cli/init/free";
import { makeValues } from "../../../cli/init/hostPlan";
import { besideStacks } from "../../../cli/init/otherStacks";
import { InitError } from "../../../cli/init/problem";
import { candidatesOf, propose, type Wishes } from "../../../cli/init/propose";
import { clusterIn, clusterInText } from "../../../cli/preview/former";
import { newSetup, setupOf } from "../../../cli/init/setup";
import { DEFAULT_VERSION, renderStackFile } from "../../../cli/init/stackFile";
import { nobody, type Person } from "../../../cli/init/person";
import { EXAMPLE_KEY } from "../../../config/sshKeys";
import { loadPlan } from "../../../plan/load";
import { stackFileSchema } from "../../../scripts-dev/clusterSchema";
import { selfSigned } from "../../../lab/support/selfSigned";

/* What `init` concludes from a host's facts and a person's options. */

const GIB = 1024 ** 3;
const TEMPLATE = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
const store = (name: string, type: string, content: string, avail = 100) => ({
  ...{ name, type, content: content.split(","), availBytes: avail * GIB },
});
const AT = { address: "192.168.2.167", port: 22 };

function facts(changed: Partial<HostFacts> = {}): HostFacts {
  return {
    ...{ node: "pve", version: "9.2.3", architecture: "amd64", nodes: ["pve"], gate: "none", gateLimits: [] },
    storages: [store("local", "dir", "vztmpl,iso,backup"), store("local-lvm", "lvmthin", "rootdir,images")],
    ...{ templates: [TEMPLATE], images: [], vmTemplates: [], nameservers: ["192.168.2.1"] },
    bridges: [{ name: "vmbr0", cidr: "192.168.2.167/24", gateway: "192.168.2.1" }],
    ...{ usedVmIds: new Set([100, 101]), usedAddresses: new Set(["192.168.2.167", "192.168.2.1"]) },
    ...{ answering: [], members: [], hostKey: EXAMPLE_KEY, ca: "", certificate: "" },
    ...changed,
  };
}
const WISHES: Wishes = { name: "k3s", kind: "lxc", servers: 1, workers: 2 };
const proposal = (of: Partial<HostFacts> = {}, wishes: Partial<Wishes> = {}) =>
  propose(facts(of), { ...WISHES, ...wishes }, AT);

const certificateFor = (altNames: string): string => selfSigned({ name: "pve", altNames }).cert;

/** The problems, as "cause → next". */
function problems(of: Partial<HostFacts>, wishes: Partial<Wishes> = {}): string[] {
  try {
    proposal(of, wishes);
  } catch (error) {
    if (error instanceof InitError) return error.problems.map(({ cause, next }) => `${cause} → ${next}`);
    throw error;
  }
  return [];
}

describe("a proposal", () => {
  it("uses what the host has, and free VMIDs and addresses", () => {
    expect(proposal()).toEqual({
      ...{ name: "k3s", node: "pve", host: "192.168.2.167", sshPort: 22, hostKey: EXAMPLE_KEY, architecture: "amd64" },
      network: { cidr: "192.168.2.0/24", gateway: "192.168.2.1", bridge: "vmbr0" },
      nameservers: ["192.168.2.1"],
      pools: {
        control: { role: "server", kind: "lxc", count: 1, storage: "local-lvm", vmId: 200, address: "192.168.2.20" },
        worker: { role: "agent", kind: "lxc", count: 2, storage: "local-lvm", vmId: 210, address: "192.168.2.25" },
      },
      template: { volume: TEMPLATE, isThere: true },
    });
  });

  it("avoids what is in use", () => {
    const { pools } = proposal({
      usedVmIds: new Set([203]),
      usedAddresses: new Set(["192.168.2.33"]),
      answering: ["192.168.2.20"],
    });
    expect([pools.control.vmId, pools.control.address]).toEqual([210, "192.168.2.40"]);
  });

  it("checks again until no proposed address answers", async () => {
    const asked: string[][] = [];
    const { plan } = await newSetup(
      { name: "k3s", facts: facts(), at: AT, options: { ssh: "ssh" }, person: nobody },
      async (addresses) => {
        asked.push([...addresses]);
        return asked.length === 1 ? ["192.168.2.25"] : [];
      },
    );
    expect(asked).toEqual([
      ["192.168.2.20", "192.168.2.25", "192.168.2.26"],
      ["192.168.2.30", "192.168.2.35", "192.168.2.36"],
    ]);
    expect(plan.nodes.map(({ name, address }) => `${name} ${address}`)).toEqual([
      ...["k3s-control-1 192.168.2.30", "k3s-worker-1 192.168.2.35", "k3s-worker-2 192.168.2.36"],
    ]);
  });

  it("takes the bridge that has a gateway, and the resolver that a node can reach", () => {
    const { network, nameservers } = proposal({
      bridges: [{ name: "vmbr1", cidr: "10.0.0.1/24" }, { name: "vmbr2" }, ...facts().bridges],
      nameservers: ["127.0.0.53"],
    });
    expect([network.bridge, nameservers]).toEqual(["vmbr0", ["192.168.2.1"]]);
  });

  it("avoids the other stacks of this host, whose nodes may not exist yet", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "init-"));
    const other = proposal();
    fs.writeFileSync(path.join(folder, "Pulumi.other.yaml"), renderStackFile(other, EXAMPLE_KEY));
    fs.writeFileSync(path.join(folder, "Pulumi.broken.yaml"), "config: [");
    fs.writeFileSync(
      path.join(folder, "Pulumi.away.yaml"),
      renderStackFile(
        { ...proposal({}, { vmId: 230, address: "192.168.2.40" }), hostKey: "ssh-ed25519 AAAAaway" },
        EXAMPLE_KEY,
      ),
    );
    const first = (own: string) => {
      const { control } = propose(besideStacks(facts(), folder, path.join(folder, own)), WISHES, AT).pools;
      return [control.vmId, control.address];
    };
    expect(first("Pulumi.k3s.yaml")).toEqual([220, "192.168.2.30"]);
    expect(first("Pulumi.other.yaml")).toEqual([200, "192.168.2.20"]);
    fs.rmSync(folder, { recursive: true });
  });

  it("is shown with the nodes' template or image, and the API's address", () => {
    const host = facts({ vmTemplates: [{ vmId: 9000, name: "debian" }] });
    const shown = description(setupOf(propose(host, { ...WISHES, kind: "mixed" }, AT)), host, undefined);
    expect(shown).toMatch(/^The cluster k3s on 192\.168\.2\.167: .*, API https:\/\/192\.168\.2\.167:8006\/$/m);
    expect(shown).toContain(`\n  containers from ${TEMPLATE}\n  virtual machines from the template 9000 (debian)\n`);
  });

  it("takes thin volumes, then the most room; never ZFS for containers", () => {
    const storages = [
      ...[store("zfs", "zfspool", "rootdir,images", 900), store("nas", "nfs", "rootdir,images,vztmpl", 800)],
      ...[store("thin", "lvmthin", "rootdir,images", 50), store("thick", "lvmthin", "rootdir", 70)],
    ];
    const { pools, template } = proposal(
      { storages, templates: [], vmTemplates: [{ vmId: 9000, name: "t" }] },
      { kind: "mixed" },
    );
    expect([pools.control.storage, pools.worker.storage]).toEqual(["thick", "zfs"]);
    expect(template).toEqual({ volume: "nas:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst", isThere: false });
  });
});

describe("every problem of a host is named with its remedy, all at once", () => {
  it.each<[string, Partial<HostFacts>, Partial<Wishes>, RegExp[]]>([
    ["nothing wrong", {}, {}, []],
    ["an old Proxmox VE", { version: "8.3.5" }, {}, [/^Proxmox VE 8\.3\.5 is too old.* → on the host: apt update/]],
    ["another name", { node: "pve9" }, {}, [/host's name is pve9, but Proxmox VE lists pve → .*\/etc\/hostname/]],
    [
      "a file that is not this program's gate",
      { gate: "foreign" },
      {},
      [/is not a gate of this program → .*move it away/],
    ],
    [
      "no storage for containers, and none for templates",
      { storages: [store("local", "dir", "iso")], templates: [] },
      {},
      [
        /takes disks of containers → on the host: pvesm set local --content iso,rootdir$/,
        /takes container templates → on the host: pvesm set local --content iso,vztmpl$/,
      ],
    ],
    [
      "ZFS alone",
      { storages: [store("zfs", "zfspool", "rootdir")] },
      {},
      [/the only storage for containers is ZFS \(zfs\)/],
    ],
    ["no bridge", { bridges: [{ name: "vmbr0" }] }, {}, [/no bridge with a network → create one/]],
    [
      "two bridges",
      { bridges: [...facts().bridges, { name: "vmbr1", cidr: "10.0.0.2/24", gateway: "10.0.0.1" }] },
      {},
      [/several bridges with a network: vmbr0, vmbr1 → choose one with --bridge/],
    ],
    [
      "no gateway",
      { bridges: [{ name: "vmbr0", cidr: "10.0.0.2/24" }] },
      {},
      [/has no gateway on vmbr0 .* → .*--gateway/],
    ],
    [
      "full VMIDs",
      { usedVmIds: new Set(Array.from({ length: 20_000 }, (_, index) => index)) },
      {},
      [/no range of VMIDs .* is free → name another first VMID with --vmid/],
    ],
    ["a VMID that is in use", { usedVmIds: new Set([411]) }, { vmId: 400 }, [/not all VMIDs from 400 on/]],
    [
      "an address that answers",
      { answering: ["192.168.2.60"] },
      { address: "192.168.2.60" },
      [/from 192\.168\.2\.60 on are free/],
    ],
    [
      "an address of another network",
      {},
      { address: "10.9.9.9" },
      [/from 10\.9\.9\.9 on are free in 192\.168\.2\.0\/24 → /],
    ],
    [
      "a small network",
      { bridges: [{ name: "vmbr0", cidr: "10.0.0.2/30", gateway: "10.0.0.1" }] },
      {},
      [/no 3 free addresses/],
    ],
    [
      "an option that is no address, and invalid numbers",
      {},
      { address: "foo", gateway: "10.0.0", servers: 2, workers: 900, vmId: 5 },
      [
        /1, 3 or 5 servers → /,
        /workers must be from 0 to 200 → /,
        /^5 is not a VMID → .*--vmid/,
        /^"foo" is not an IPv4 address → write --address like/,
        /^"10\.0\.0" is not an IPv4 address → write --gateway like/,
      ],
    ],
    [
      "several sources of virtual machines",
      {
        vmTemplates: [
          { vmId: 9000, name: "debian" },
          { vmId: 9001, name: "windows" },
        ],
        images: ["local:import/a.qcow2"],
      },
      { kind: "vm" },
      [/several .*: 9000 \(debian\), 9001 \(windows\), local:import\/a\.qcow2 → .*--image/],
    ],
    ["nothing for virtual machines", {}, { kind: "vm" }, [/need a template or a cloud image.* → .*--image/]],
    ["an image without its sum", {}, { kind: "vm", image: "https://x.org/a.img" }, [/needs its SHA-256 → .*--sha256/]],
  ])("%s", (_, of, wishes, expected) => {
    expect(problems(of, wishes)).toEqual(expected.map((line) => expect.stringMatching(line)));
  });

  it("a cluster of the name that has guests, without its stack file", async () => {
    const setup = newSetup(
      { name: "k3s", facts: facts({ members: ["200"] }), at: AT, options: { ssh: "ssh" }, person: nobody },
      async () => [],
    );
    await expect(setup).rejects.toThrow(/the cluster k3s has guests on the host \(200\)[^]*choose another --name/);
  });

  it("invalid answers", async () => {
    const answer = (servers: string): Person => ({
      ...nobody,
      ask: async (text, of, read) => read(/^Servers/.test(text) ? servers : of),
    });
    const setup = (servers: string) =>
      newSetup(
        { name: "k3s", facts: facts(), at: AT, options: { ssh: "ssh" }, person: answer(servers) },
        async () => [],
      );
    await expect(setup("2")).rejects.toThrow("there must be 1, 3 or 5 servers");
    expect((await setup("3")).plan.servers).toHaveLength(3);
  });
});

describe("the stack file", () => {
  const accepts = new Ajv({ allErrors: true, strict: true, strictTypes: false }).compile(stackFileSchema());
  const image = { url: `https://x.org/a/debian.qcow2`, sha256: "a".repeat(64) };
  const importing = [...facts().storages, store("images", "dir", "import,snippets")];

  it.each<[string, Partial<HostFacts>, Partial<Wishes>]>([
    ["containers", {}, {}],
    ["five servers and no worker", {}, { servers: 5, workers: 0 }],
    ["clones of a template", { vmTemplates: [{ vmId: 9000, name: "t" }] }, { kind: "vm" }],
    ["an image on the host", { images: ["images:import/debian.qcow2"] }, { kind: "mixed", servers: 3 }],
    ["an image of a URL", { storages: importing }, { kind: "mixed", image: image.url, sha256: image.sha256 }],
    [
      "a CA of the host itself",
      { certificate: fs.readFileSync(path.join(__dirname, "../../fixtures/certificate.pem"), "utf8") },
      {},
    ],
  ])("for %s passes the editor's schema and the program's rules, and has comments that explain it", (_, of, wishes) => {
    const made = proposal(of, wishes);
    const text = renderStackFile(made, `${EXAMPLE_KEY} proxmox-k3s-k3s-node`);
    expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=schema/cluster.schema.json");
    expect(text.match(/^ *# /gm)!.length).toBeGreaterThan(8);
    expect([accepts(parse(text)), accepts.errors]).toEqual([true, null]);
    const plan = loadPlan(clusterInText("it", () => text));
    expect(plan.nodes.map(({ address }) => address).sort()).toEqual([...candidatesOf(made)].sort());
    expect(plan.proxmox).toMatchObject({ host: "192.168.2.167", node: "pve", hostKey: EXAMPLE_KEY });
  });

  it("treats the host's answers as data: no name can add a key", () => {
    const storages = [store("100", "lvmthin", "rootdir"), ...facts().storages.slice(0, 1)];
    const text = renderStackFile(
      proposal({ storages, node: "pve\n      insecure: true", nodes: ["pve\n      insecure: true"] }),
      EXAMPLE_KEY,
    );
    expect(parse(text).config["proxmox-k3s:cluster"].proxmox).toEqual({
      ...{ node: "pve\n      insecure: true", host: "192.168.2.167", hostKey: EXAMPLE_KEY, storage: "100" },
      template: TEMPLATE,
    });
  });

  it("has the same release as the example", () => {
    const example = path.join(__dirname, "../../../Pulumi.homelab.yaml");
    expect((clusterIn(example) as { version: string }).version).toBe(DEFAULT_VERSION);
  });

  it("that exists is compared with the host, and not changed", () => {
    const { plan } = setupOf(proposal());
    expect(differences(plan, facts(), EXAMPLE_KEY)).toEqual([]);
    const moved = facts({ node: "pve2", hostKey: "ssh-ed25519 AAAAother", storages: [], bridges: [{ name: "vmbr9" }] });
    expect(differences(plan, moved, "ssh-ed25519 AAAAmine x")).toEqual([
      "proxmox.hostKey is not this host's: ssh-ed25519 AAAAother",
      "proxmox.node is pve; this host is pve2",
      "network.bridge is vmbr0; the host has vmbr9",
      "a pool's storage is local-lvm, which is not active on the host",
      "ssh.authorizedKeys lacks the program's key for the nodes: ssh-ed25519 AAAAmine",
    ]);
  });

  it("decides which roles are granted, complete, each at its path", () => {
    const { plan } = setupOf(proposal({ vmTemplates: [{ vmId: 9000, name: "t" }] }, { kind: "mixed" }));
    const {
      GRANTS,
      API_USER,
      TEMPLATE: template,
    } = makeValues(plan, "ssh-ed25519 AAAA comment", "nas:vztmpl/a.tar.zst");
    expect(GRANTS.split("\n").map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
      ...["/pool/k3s PulumiK3s", "/ PulumiK3sHost", "/pool/k3s PulumiK3sVm", "/ PulumiK3sStorage"],
      "/vms/9000 PulumiK3sTemplate",
    ]);
    expect(GRANTS).toMatch(/\/vms\/9000 PulumiK3sTemplate VM\.Clone,VM\.Audit$/);
    expect([API_USER, template]).toEqual(["k3s-k3s@pve", "nas a.tar.zst"]);
  });
});

describe("free places", () => {
  const taken = fc.uniqueArray(fc.integer({ min: 200, max: 260 }), { maxLength: 40 });
  const counts = fc.record({ servers: fc.constantFrom(1, 3, 5), workers: fc.integer({ min: 0, max: 10 }) });
  const block = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

  it("for VMIDs are free, and never overlap", () => {
    fc.assert(
      fc.property(taken, counts, (used, wanted) => {
        const found = freeVmIds(new Set(used), wanted)!;
        const ids = [...block(found.servers, wanted.servers), ...block(found.workers, wanted.workers)];
        expect(new Set(ids).size).toBe(wanted.servers + wanted.workers);
        expect(ids.filter((id) => used.includes(id))).toEqual([]);
      }),
    );
  });

  it("for addresses are free hosts of the network", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 62 }), { maxLength: 20 }), counts, (used, wanted) => {
        const addresses = new Set(used.map((last) => `10.0.0.${last}`));
        const found = freeAddresses("10.0.0.9/26", addresses, wanted);
        if (!found) return;
        const last = (address: string): number => Number(address.split(".")[3]);
        const all = [...block(last(found.servers), wanted.servers), ...block(last(found.workers), wanted.workers)];
        expect(new Set(all).size).toBe(wanted.servers + wanted.workers);
        expect(all.filter((host) => used.includes(host) || host < 1 || host > 62)).toEqual([]);
      }),
    );
  });
});

describe("the host's answer", () => {
  it("is refused if it is not complete", () => {
    expect(() => parseFacts("@@ node\npve\n")).toThrow("the Proxmox host's answer is not complete");
    expect(() => parseFacts("@@ guests\nperl: warning\n[]\n@@ end\n")).toThrow(/not print a list .*: perl: warning/);
  });

  it("has a bridge's gateway from the routes, if DHCP gave it", () => {
    const networks = JSON.stringify([
      { iface: "vmbr0", type: "bridge", cidr: "10.0.0.2/24" },
      { iface: "eno1", type: "eth" },
    ]);
    const text = `\n@@ networks\n${networks}\n@@ route\ndefault via 10.0.0.1 dev vmbr0 proto dhcp\n@@ end\n`;
    expect(parseFacts(text).bridges).toEqual([{ name: "vmbr0", cidr: "10.0.0.2/24", gateway: "10.0.0.1" }]);
  });

  it("says for which name the API's certificate is valid", () => {
    const certificate = fs.readFileSync(path.join(__dirname, "../../fixtures/certificate.pem"), "utf8");
    expect(judgeCertificate({ ca: "", certificate: "" }, "192.168.2.167")).toEqual({});
    expect(judgeCertificate({ ca: "", certificate }, "192.168.2.167")).toMatchObject({ ca: certificate });
    const wild = certificateFor("DNS:*.lan.example,DNS:pve.lan.example");
    expect(judgeCertificate({ ca: "", certificate: wild }, "192.168.2.167").otherName).toBe("pve.lan.example");
  });
});

describe("the doctor, before there is a stack", () => {
  const lines = (of: Partial<HostFacts>): string[] =>
    judgeBareHost(facts(of), AT, "root@pve").map(({ level, check, seen }) => `${level} ${check}: ${seen}`);

  it("says what init would use, and the next command", () => {
    expect(lines({ templates: [] })).toEqual([
      "ok ssh: root@pve lets you in",
      "ok proxmox-version: Proxmox VE 9.2.3, node pve",
      "ok storage: local-lvm",
      "ok bridge: vmbr0 (192.168.2.0/24, gateway 192.168.2.1)",
      `ok template: ${TEMPLATE}, which init downloads`,
      "ok vmid: 200 and 210 are free, with room above them",
      "ok address: 192.168.2.20 and 192.168.2.25 are not known to the host",
      "ok next: npx proxmox-k3s init root@pve",
    ]);
  });

  it("names all problems", () => {
    expect(lines({ version: "8.2", bridges: [] })).toEqual([
      "ok ssh: root@pve lets you in",
      "fail host: Proxmox VE 8.2 is too old: the program needs 8.4 or newer",
      "fail host: the host has no bridge with a network",
    ]);
  });
});
