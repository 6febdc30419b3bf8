import { spawnSync } from "node:child_process";
import * as fs from "node:fs";

import { renderAdmin } from "../../cli/init/adminScript";
import { parseFacts } from "../../cli/init/facts";
import { apiUserOf, makeValues, tokenValues } from "../../cli/init/hostPlan";
import { loadPlan } from "../../plan/load";
import { privilegePaths } from "../../plan/privileges";
import { GATE_FILE, renderGate } from "../../remote/hostGate";
import { AdminHost } from "../support/adminHost";
import { homelabConfig } from "../unit/config/support";

/* The administrator's scripts of `init`, in a real shell, against the lab's API. */

const plan = loadPlan(homelabConfig());
const [NAME, USER] = [plan.name, apiUserOf(plan.name)];
const KEY = "ssh-ed25519 AAAAprogram";
const values = makeValues(plan, `${KEY} proxmox-k3s`);
const UNDO = { CLUSTER: NAME, POOL: NAME, API_USER: USER, GATE_FILE };

let host: AdminHost;
let before: Record<string, string>;
beforeEach(async () => {
  host = await AdminHost.start();
  before = host.state();
});
afterEach(() => host.stop());

const make = (changed = {}) => host.run("make", { ...values, ...changed });
const gateInstalled = (): void => {
  host.write(GATE_FILE, renderGate());
  host.write(
    "root/.ssh/authorized_keys",
    `${before["root/.ssh/authorized_keys"]}restrict,command="${GATE_FILE}" ${KEY} x\n`,
  );
  host.write("var/log/proxmox-k3s/gate-check", "a log");
};

it("creates what a cluster needs, and the token has the privileges that the doctor checks", async () => {
  const { code, told, stderr } = await make();
  expect([code, stderr]).toEqual([0, ""]);
  expect(told).toEqual([
    `MADE\tresource pool ${NAME}`,
    "MADE\trole PulumiK3s",
    "MADE\trole PulumiK3sHost",
    `MADE\tuser ${USER}`,
    `MADE\tPulumiK3s for ${USER} at /pool/${NAME}`,
    `MADE\tPulumiK3sHost for ${USER} at /`,
  ]);
  const token = await host.run("token", tokenValues(plan));
  expect([token.code, token.stderr]).toEqual([0, ""]);
  expect(token.told).toEqual([expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)]);
  const client = host.pve.token(`${USER}!pulumi=${token.told[0]}`);
  const held = async (at: string): Promise<string[]> =>
    Object.keys((await client.get(`/access/permissions?path=${encodeURIComponent(at)}`)).body.data[at]);
  for (const [at, privileges] of privilegePaths(plan))
    expect([at, await held(at)]).toEqual([at, expect.arrayContaining([...privileges])]);
});

it("a second run changes nothing, and says that each thing exists", async () => {
  await make();
  gateInstalled();
  const first = host.state();
  const { told } = await make();
  expect(told).toHaveLength(6);
  expect(told.filter((line) => !line.startsWith("STANDS\t"))).toEqual([]);
  expect(host.state()).toEqual(first);
});

it("--undo leaves the host as it was: each file and each permission", async () => {
  await make({ TEMPLATE: "local debian-12-standard_12.7-1_amd64.tar.zst" });
  gateInstalled();
  await host.run("token", tokenValues(plan));
  expect(host.state()).not.toEqual(before);
  const { code, told, stderr } = await host.run("undo", UNDO);
  expect([code, stderr]).toEqual([0, ""]);
  expect(told[0]).toBe(`REMOVED\ttoken ${USER} pulumi`);
  expect(told.filter((line) => line.startsWith("KEPT"))).toEqual([]);
  expect(host.state()).toEqual(before);
  expect((await host.run("undo", UNDO)).told).toEqual([expect.stringMatching(/^KEPT\teverything: /)]);
});

it("--undo removes only what init created: a pool and roles that existed before stay, and what others use", async () => {
  const root = await host.pve.root();
  await root.post("/pools", { poolid: NAME });
  await root.post("/access/roles", { roleid: "PulumiK3s", privs: values.GRANTS.split(/[ \n]/)[2]! });
  const stood = host.state();
  await make();
  await root.put("/access/acl", { path: "/", users: "pulumi@pve", roles: "PulumiK3sHost" });
  const { told } = await host.run("undo", UNDO);
  expect(told).toContain("KEPT\trole PulumiK3sHost, which others have");
  const { access } = host.state();
  expect(access).toContain(`pool:${NAME}:`);
  expect(access).toContain("role:PulumiK3s:");
  expect(access).not.toContain(USER);
  expect(stood["access"]).toContain(`pool:${NAME}:`);
});

it("--undo of the last of two clusters removes what they share", async () => {
  const other = { CLUSTER: "other", POOL: "other", API_USER: apiUserOf("other"), HOST_KEY: "ssh-ed25519 AAAAother" };
  await make();
  await make({ ...other, GRANTS: values.GRANTS.replaceAll(NAME, "other") });
  await host.run("undo", UNDO);
  expect(host.state()["access"]).toContain("role:PulumiK3s:");
  await host.run("undo", { ...UNDO, CLUSTER: "other", POOL: "other", API_USER: other.API_USER });
  expect(host.state()).toEqual(before);
});

it("a role that lacks a privilege is named with the command, and not changed", async () => {
  await (await host.pve.root()).post("/access/roles", { roleid: "PulumiK3s", privs: "VM.Allocate,VM.PowerMgmt" });
  const { told } = await make();
  expect(told[1]).toMatch(
    /^DIFFERS\trole PulumiK3s lacks VM\.Config\.CPU .*: pveum role modify PulumiK3s --append 1 --privs "VM\.Config\.CPU /,
  );
});

it.each([
  [1, "before"],
  [1, "after"],
  [2, "before"],
  [3, "after"],
  [4, "before"],
  [5, "after"],
  [6, "before"],
  [6, "after"],
] as const)(
  "killed at change %i (%s it), the next run has the same result, and --undo restores the host",
  async (call, when) => {
    host.killAt(call, when);
    expect((await make()).code).not.toBe(0);
    host.endKills();
    expect((await make()).code).toBe(0);
    gateInstalled();
    const { access } = host.state();
    await host.run("undo", UNDO);
    expect(host.state()).toEqual(before);
    await make();
    expect(host.state()["access"]).toBe(access);
  },
);

it.each([
  [1, "after"],
  [4, "before"],
  [6, "before"],
  [7, "after"],
] as const)("--undo that was killed at change %i (%s it) finishes in the next run", async (call, when) => {
  await make();
  await host.run("token", tokenValues(plan));
  gateInstalled();
  host.killAt(call, when);
  expect((await host.run("undo", UNDO)).code).not.toBe(0);
  host.endKills();
  expect((await host.run("undo", UNDO)).code).toBe(0);
  expect(host.state()).toEqual(before);
});

describe("a host with problems", () => {
  it("says so if the person is not root, or the machine is no Proxmox host", async () => {
    host.command("id", 'if [ "$1" = -u ]; then echo 1000; else echo bob; fi');
    expect((await make()).stderr).toMatch(
      /^error: bob is not root on this host\nnext: {2}log in as root: npx proxmox-k3s init/,
    );
    host.command("id", "echo 0");
    fs.rmSync(`${host.root}/bin/pvesh`);
    expect((await make()).stderr).toMatch(/^error: this is no Proxmox VE host/);
    expect(host.state()).toEqual(before);
  });

  it("a template that cannot be downloaded is named; the next run downloads it", async () => {
    const template = { TEMPLATE: "local debian-12-standard_12.7-1_amd64.tar.zst" };
    host.command("pveam", '[ "$1" = update ] || { echo "400 no such template" >&2; exit 255; }');
    const { code, stderr } = await make(template);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: pveam download local debian-12\S+: 400 no such template\nnext: .*--template/),
    ]);
    host.command("pveam", `[ "$1" = update ] || : >${host.pve.dir}/vz/template/cache/"$3"`);
    const { told } = await make(template);
    expect(told.filter((line) => !line.startsWith("STANDS"))).toEqual([
      "MADE\ttemplate local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst",
    ]);
  });
});

describe("an API token", () => {
  it("whose secret a former run lost is created again", async () => {
    await make();
    const [lost] = (await host.run("token", tokenValues(plan))).told;
    const { code, told } = await host.run("token", tokenValues(plan));
    expect(code).toBe(0);
    expect(told[0]).not.toBe(lost);
  });

  it("that the stack has stays; one that the host no longer has is created again", async () => {
    await make();
    await host.run("token", tokenValues(plan));
    expect((await host.run("token", tokenValues(plan, true))).told).toEqual([]);
    await (await host.pve.root()).delete(`/access/users/${USER}/token/pulumi`);
    expect((await host.run("token", tokenValues(plan, true))).told).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
  });

  it("of somebody else is not touched", async () => {
    await make();
    await (await host.pve.root()).post(`/access/users/${USER}/token/pulumi`, {});
    const { code, told, stderr } = await host.run("token", tokenValues(plan));
    expect([code, told]).toEqual([1, []]);
    expect(stderr).toMatch(
      /^error: the API token k3s-homelab@pve!pulumi is on the host, and init did not make it\nnext: {2}/,
    );
  });
});

it("a call that fails is named with Proxmox VE's message and the next step", async () => {
  host.command(
    "pvesh",
    '[ "$1" = get ] || { echo "cluster not ready - no quorum?" >&2; exit 255; }\nexec pvesh.real "$@"',
  );
  const { code, stderr } = await make();
  expect([code, stderr]).toEqual([
    1,
    "error: pvesh create /pools: cluster not ready - no quorum?\nnext:  fix the cause on the host, then run the command again: it goes on where it stopped\n",
  ]);
});

it("--undo refuses a cluster that still has guests", async () => {
  await make();
  const root = await host.pve.root();
  await root.post("/nodes/pve/lxc", {
    vmid: 100,
    ostemplate: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst",
    pool: NAME,
    storage: "local-lvm",
    rootfs: "local-lvm:4",
  });
  await host.pve.idle();
  const { code, stderr } = await host.run("undo", UNDO);
  expect([code, stderr]).toEqual([
    1,
    `error: the pool ${NAME} has guests: 100\nnext:  destroy the cluster first: pulumi destroy\n`,
  ]);
});

it("--undo refuses a cluster in another pool than the stack file's, and keeps its token", async () => {
  await make({ POOL: "k3s-pool", GRANTS: values.GRANTS.replace(`/pool/${NAME}`, "/pool/k3s-pool") });
  await host.run("token", tokenValues(plan));
  const root = await host.pve.root();
  await root.post("/nodes/pve/lxc", {
    vmid: 100,
    ostemplate: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst",
    pool: "k3s-pool",
    storage: "local-lvm",
    rootfs: "local-lvm:4",
  });
  await host.pve.idle();
  const stood = host.state();
  for (const { code, stderr } of [await host.run("undo", UNDO), await host.run("token", tokenValues(plan))])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: .*the pool k3s-pool has guests: 100\nnext: /)]);
  expect(host.state()).toEqual(stood);
  const { told } = await host.run("facts", { CLUSTER: NAME, GATE_FILE });
  expect(parseFacts(told.join("\n")).members).toEqual(["100"]);
});

describe("what --undo cannot remove yet", () => {
  it("stays in the record, so that a later run removes it", async () => {
    await make();
    gateInstalled();
    const keys = fs.readFileSync(`${host.root}/root/.ssh/authorized_keys`, "utf8");
    host.write("root/.ssh/authorized_keys", `${keys}command="${host.root}${GATE_FILE}" ssh-ed25519 AAAAmine me\n`);
    const { told } = await host.run("undo", UNDO);
    expect(told.filter((line) => /gate|log/.test(line))).toEqual([
      expect.stringMatching(/^KEPT\t.*proxmox-k3s-gate, which other keys have$/),
      expect.stringMatching(/^KEPT\t.*\/var\/log\/proxmox-k3s, the log of the gate$/),
    ]);
    host.write("root/.ssh/authorized_keys", before["root/.ssh/authorized_keys"]!);
    await host.run("undo", UNDO);
    expect(host.state()).toEqual(before);
  });

  it("a template stays while another cluster of this Proxmox VE cluster has a user", async () => {
    await make({ TEMPLATE: "local debian-12-standard_12.7-1_amd64.tar.zst" });
    const root = await host.pve.root();
    await root.post("/access/users", { userid: "k3s-other@pve" });
    expect((await host.run("undo", UNDO)).told).toContain(
      "KEPT\ttemplate local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst, which other K3s clusters may use",
    );
    await root.delete("/access/users/k3s-other@pve");
    await host.run("undo", UNDO);
    expect(host.state()).toEqual(before);
  });
});

it("a thing that could not be created is not removed if somebody creates it later", async () => {
  host.command("pvesh", '[ "$1 $2" != "create /pools" ] || { echo "no quorum" >&2; exit 255; }\nexec pvesh.real "$@"');
  expect((await make()).code).toBe(1);
  host.endKills();
  await (await host.pve.root()).post("/pools", { poolid: NAME });
  const { access } = host.state();
  await make();
  await host.run("undo", UNDO);
  expect(host.state()["access"]).toBe(access);
});

it.each(["make", "undo", "token", "facts"] as const)(
  "%s fails if the API does not answer: what cannot be read may exist",
  async (script) => {
    await make();
    await host.run("token", tokenValues(plan));
    const stood = host.state();
    host.command("pvesh", '[ "$1" != get ] || { echo "ipcc_send_rec failed" >&2; exit 255; }\nexec pvesh.real "$@"');
    const { code, stderr } = await {
      make: () => make(),
      undo: () => host.run("undo", UNDO),
      token: () => host.run("token", tokenValues(plan)),
      facts: () => host.run("facts", { CLUSTER: NAME, GATE_FILE }),
    }[script]();
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: pvesh get \/\S+: ipcc_send_rec failed\nnext: {2}fix the cause on the host/),
    ]);
    expect(host.state()).toEqual(stood);
  },
);

it.each(["../x", ".shared", ""])("undo refuses the name '%s'", async (CLUSTER) => {
  const { code, stderr } = await host.run("undo", { ...UNDO, CLUSTER });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: [^\n]*\nnext: {2}name it with --name/)]);
});

it("the facts are the host's", async () => {
  const { code, told, stderr } = await host.run("facts", { CLUSTER: NAME, GATE_FILE });
  expect([code, stderr]).toEqual([0, ""]);
  const facts = parseFacts(told.join("\n"));
  expect(facts).toMatchObject({
    ...{ node: "pve", version: "9.2.3", nodes: ["pve"], gate: "none", members: [], hostKey: "ssh-ed25519 AAAAhost" },
    storages: [
      { name: "local", type: "dir", content: ["iso", "snippets", "vztmpl"] },
      { name: "local-lvm", type: "lvmthin", content: ["images", "rootdir"] },
    ],
    templates: ["local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst"],
  });
});

it("a host without its own keys: the message names what is missing", async () => {
  fs.rmSync(`${host.root}/etc/ssh`, { recursive: true });
  const { code, told } = await host.run("facts", { CLUSTER: NAME, GATE_FILE });
  expect([code, parseFacts(told.join("\n")).hostKey]).toEqual([0, ""]);
});

it("lists which addresses answer", async () => {
  const { told } = await host.run("probe", { CANDIDATES: "198.18.0.20 198.18.0.21" });
  expect(told).toEqual(["198.18.0.20"]);
});

describe("a script", () => {
  const all = {
    facts: renderAdmin("facts", { CLUSTER: "a", GATE_FILE }),
    probe: renderAdmin("probe", { CANDIDATES: "" }),
    make: renderAdmin("make", values),
    token: renderAdmin("token", tokenValues(plan)),
    undo: renderAdmin("undo", UNDO),
  };

  it.each(Object.entries(all))("%s passes shellcheck", (_, script) => {
    const options = ["-s", "sh", "-e", "SC2034", "-"]; // some of the scripts do not use every value
    expect(spawnSync("shellcheck", options, { input: script, encoding: "utf8" }).stdout).toBe("");
  });

  it("that arrives incomplete does nothing", () => {
    const cut = all.make.slice(0, -10);
    const { status, stdout } = spawnSync("/bin/sh", ["-c", cut], { encoding: "utf8", env: { PATH: "/nowhere" } });
    expect([status === 0, stdout]).toEqual([false, ""]);
  });
});
