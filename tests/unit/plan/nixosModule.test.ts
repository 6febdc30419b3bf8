import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { ensurePackages } from "../../../lab/host/packages";
import { loadPlan } from "../../../plan/load";
import { type ClusterPlan, isNixos, type VmNodePlan } from "../../../plan/model";
import { clusterRecordOf } from "../../../plan/record";
import { nixLines, nixText, nixTexts } from "../../../plan/render/nix";
import { nftables } from "../../../plan/render/nftables";
import { nixosModule } from "../../../plan/render/nixosModule";
import { ensureNix, evalNix, parseNix } from "../../support/nix";
import { stackCluster } from "../../support/program";
import { changed } from "../config/support";

/*
 * The NixOS modules of S5's machines (Pulumi.mizar.yaml), read by Nix itself. Nixpkgs is a double, or the real one in the folder
 * NIXPKGS; only the real one knows whether the options exist.
 */

beforeAll(async () => {
  await ensureNix();
  await ensurePackages(() => {}, [{ name: "nftables", command: "nft" }]);
}, 300_000);

const mizar = (change: unknown = {}): ClusterPlan => loadPlan(changed(stackCluster("Pulumi.mizar.yaml"), change));
const node = (name: string, plan: ClusterPlan): VmNodePlan =>
  plan.nodes.filter(isNixos).find((each) => each.name === name)!;
const moduleOf = (name: string, change: unknown = {}): string => nixosModule(node(name, mizar(change)), mizar(change));

const NAMES = ["alphard", "hamal", "mizar"];
const ETCD = { k3s: { datastore: "etcd", disable: ["traefik"] } };
const BUSY = {
  ...ETCD,
  network: { searchDomain: "lan.example.org", nameservers: ["172.22.0.1", "1.1.1.1"], vlan: 20 },
  firewall: { extra: { metrics: { ports: "9100", networks: ["10.0.0.0/8"] } } },
  pools: { agent: { labels: { tier: "web" }, taints: ["dedicated=storage:NoSchedule"] } },
};
const CHANGES = [{}, ETCD, BUSY, { firewall: { enabled: false } }, { version: "v1.33.5+k3s1" }];

test.each(NAMES)("the module of %s, as a person reviewed it", (name) => expect(moduleOf(name)).toMatchSnapshot());

test.each(NAMES.flatMap((name) => CHANGES.map((change) => [name, change] as const)))("Nix reads it: %s, %j", (...of) =>
  expect(parseNix(moduleOf(...of))).not.toBe(""),
);

test("Nix names the place of a syntax error", () =>
  expect(() => parseNix(moduleOf("mizar").replace("networking = {", "networking = "))).toThrow(/syntax error.*at/s));

test.each([
  ...['a "quoted" word', "back\\slash", "${pkgs.hello}", "$$ and $x", "two ''quotes''", "$${x} '' ${y}"],
  ...["a '${x}' b", "'''${x}"],
])("no text of the config becomes an expression: %s", (text) => {
  expect(evalNix(() => nixText(`${text}\nend`))).toBe(`${text}\nend`);
  expect(evalNix(() => nixTexts([text, "b"], 2))).toEqual([text, "b"]);
  expect(evalNix(() => nixLines(`${text}\n  end`, 4))).toBe(`${text}\n  end\n`);
});

const DOUBLE = (release: string): string =>
  `import ${path.join(__dirname, "../../support/doubles/nixos/nixpkgs.nix")} { release = "${release}"; }`;

/** The values of a module in the nixpkgs of a folder, after all of NixOS's own modules have read it. */
const REAL = (folder: string, module: string) => `let
    nixpkgs = import ${folder} { };
    nixos = import ${folder}/nixos/lib/eval-config.nix {
      modules = [ ${module} { boot.loader.grub.device = "/dev/sda"; fileSystems."/" = { device = "/dev/sda1"; fsType = "ext4"; }; system.stateVersion = "25.11"; } ];
    };
    failed = builtins.filter (each: !each.assertion) nixos.config.assertions;
  in {
    name = nixos.config.networking.hostName;
    address = nixos.config.systemd.network.networks."05-proxmox-k3s".address;
    k3s = nixos.config.systemd.services.k3s.serviceConfig.ExecStart;
    failed = map (each: each.message) failed;
  }`;

/** The same with the double, whose NixOS accepts every option. */
const IN_THE_DOUBLE = (release: string, module: string) => `let
    nixpkgs = ${DOUBLE(release)};
    config = import ${module} (nixpkgs // { inherit config; });
  in {
    name = config.networking.hostName;
    address = config.systemd.network.networks."05-proxmox-k3s".address;
    k3s = "k3s ${"$"}{config.services.k3s.role} --server ${"$"}{config.services.k3s.serverAddr}";
    failed = builtins.filter (each: !each.assertion) config.assertions;
  }`;

const { NIXPKGS } = process.env;
test(`NixOS evaluates a system with it, in ${NIXPKGS ?? "the double; NIXPKGS=FOLDER names a real nixpkgs"}`, () => {
  const release = NIXPKGS === undefined ? "1.36.3+k3s1" : String(evalNix(() => `(import ${NIXPKGS} { }).k3s.version`));
  const text = moduleOf("mizar", { version: `v${release}` });
  const inNixos = (module: string) => (NIXPKGS === undefined ? IN_THE_DOUBLE(release, module) : REAL(NIXPKGS, module));
  expect(evalNix(inNixos, text, NIXPKGS === undefined ? [] : ["--store", "auto"])).toEqual({
    ...{ name: "mizar", address: ["172.22.0.136/24"], failed: [] },
    k3s: expect.stringMatching(/k3s agent.*--server https:\/\/172\.22\.0\.134:6443/s),
  });
});

/** The module's assertions, with a K3s of this release in nixpkgs. */
function said(name: string, wanted: string, change: unknown = {}, release = mizar().version.slice(1)): unknown {
  return evalNix(
    (module) => `let
      nixpkgs = ${DOUBLE(release)};
      module = import ${module} (nixpkgs // { config = module; });
    in ${wanted}`,
    moduleOf(name, change),
  );
}

describe("a module", () => {
  test("has the machine's own name, address and MAC address", () => {
    expect(said("mizar", "module.networking")).toEqual({
      ...{ hostName: "mizar", useNetworkd: true, useDHCP: false, firewall: { enable: false } },
    });
    expect(said("mizar", 'module.systemd.network.networks."05-proxmox-k3s"')).toEqual({
      ...{ matchConfig: { MACAddress: "BC:24:11:B3:ED:03" }, address: ["172.22.0.136/24"], gateway: ["172.22.0.1"] },
      ...{ dns: ["172.22.0.1"], domains: [] },
    });
    const [, hamal] = mizar().nodes;
    expect(said("hamal", 'module.systemd.network.networks."05-proxmox-k3s".matchConfig.MACAddress')).toBe(
      (hamal as VmNodePlan).ownMac,
    );
  });

  test.each([
    ["ext4", true],
    ["zfs", false],
  ])("grows a root file system only if NixOS can: %s", (type, grows) => {
    const value = `let
      config = { fileSystems."/" = { fsType = "${type}"; autoResize = module.fileSystems."/".autoResize; }; };
      module = import MODULE (${DOUBLE(mizar().version.slice(1))} // { inherit config; });
    in [ module.fileSystems."/".autoResize module.boot.growPartition ]`;
    const evaluated = evalNix((module) => value.replace("MODULE", module), moduleOf("mizar"));
    expect(evaluated).toEqual([grows, grows]);
  });

  test("keeps the machine's MAC address if the config has none", () => {
    const record = clusterRecordOf(mizar()).nodes[1]!;
    const text = nixosModule(node("hamal", mizar()), mizar(), { ...record, mac: "BC:24:11:00:00:09" });
    expect(text).toContain('matchConfig.MACAddress = "BC:24:11:00:00:09"');
  });

  test("has K3s with its role, its server and token file; what is in its config.yaml is not a flag too", () => {
    const k3s = (name: string, change?: unknown) => said(name, 'removeAttrs module.services.k3s [ "package" ]', change);
    expect(k3s("alphard")).toEqual({
      ...{ enable: true, role: "server", tokenFile: "/etc/rancher/k3s/token" },
    });
    expect(k3s("mizar", BUSY)).toEqual({
      ...{ enable: true, role: "agent", serverAddr: "https://172.22.0.134:6443", tokenFile: "/etc/rancher/k3s/token" },
    });
    expect(k3s("alphard", ETCD)).toMatchObject({ clusterInit: true });
    expect(said("mizar", "module.systemd.services.k3s.aliases")).toEqual(["k3s-agent.service"]);
    expect(said("alphard", "module.systemd.services.k3s ? aliases")).toBe(false);
  });

  test("uses the K3s of the plan's minor, and refuses another release of it, or a nixpkgs without one", () => {
    const asserted = "map (each: if each.assertion then true else each.message) module.assertions";
    const old = { version: "v1.33.5+k3s1" };
    expect(said("mizar", asserted)).toEqual([true]);
    expect(said("mizar", asserted, old, "1.33.5+k3s1")).toEqual([true]);
    expect(said("mizar", asserted, old, "1.33.7+k3s1")).toEqual([
      "proxmox-k3s: K3s is 1.33.7+k3s1 as k3s_1_33 in this nixpkgs, not 1.33.5+k3s1",
    ]);
    expect(() => said("mizar", asserted, old, "1.34.1+k3s1")).toThrow(
      "proxmox-k3s: there is no k3s_1_33 in this nixpkgs, for 1.33.5+k3s1",
    );
  });

  test("has nothing about the other nodes, so a node that joins or leaves changes no machine", () => {
    for (const name of ["alphard", "hamal"])
      expect(moduleOf(name, { pools: { agent: { count: 1 } } })).toBe(moduleOf(name));
    expect(moduleOf("hamal")).not.toMatch(/172\.22\.0\.13[46]\b(?!:6443)/);
  });

  test("has the ports of the cluster's firewall, or none", () => {
    expect(said("mizar", "module.systemd.services.k3smesh.serviceConfig.ExecStart")).toMatch(
      /^\/nix\/store\/nftables\/bin\/nft -f table inet k3smesh\ndelete table inet k3smesh\n[^]*policy drop[^]*\n\}\ninclude "\/etc\/k3smesh\/\*\.nft"\n$/,
    );
    expect(moduleOf("mizar", { firewall: { enabled: false } })).not.toContain("k3smesh");
  });

  test("loads its ports at boot, or instead the rules that the host keeps there, if there are any", () => {
    const text = String(said("mizar", "module.systemd.services.k3smesh.serviceConfig.ExecStart")).split(" -f ")[1]!;
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nixos-"));
    const load = (): string =>
      execFileSync("unshare", ["--net", "sh", "-c", `nft -f ${folder}/base && nft list table inet k3smesh`], {
        encoding: "utf8",
      });
    fs.writeFileSync(path.join(folder, "base"), text.replace("/etc/k3smesh", folder));
    expect(load()).not.toContain("172.22.0.135");
    const plan = mizar();
    fs.writeFileSync(path.join(folder, "rules.nft"), `${nftables({ ...plan, firewall: plan.firewall! })}\n`);
    expect(load()).toContain("172.22.0.135");
    fs.rmSync(folder, { recursive: true });
  });

  test("starts K3s only with a token, and contains no secret", () => {
    expect(said("mizar", "module.systemd.services.k3s.unitConfig.ConditionPathExists")).toBe("/etc/rancher/k3s/token");
    expect(moduleOf("alphard", ETCD)).not.toMatch(/\btoken = |\bagentToken = |passwordFile|hashedPassword/);
  });
});
