import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { PassThrough } from "node:stream";

import { AdminShell } from "../../../cli/adminShell";
import { passphraseFile } from "../../../cli/init/local";
import { personAt } from "../../../cli/init/person";
import { namesIn, undo } from "../../../cli/init/undo";

/* What `init` reads, asks and creates on the person's machine. */

const repo = path.join(__dirname, "../../..");

describe("--undo", () => {
  it("uses only the cluster's own pool if the stack file cannot be read", () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "init-")), "Pulumi.k3s.yaml");
    expect(namesIn(file)).toBeUndefined();
    const text = fs.readFileSync(path.join(repo, "Pulumi.homelab.yaml"), "utf8");
    fs.writeFileSync(file, text.replace("    proxmox:", "    proxmox:\n      resourcePool: other"));
    expect(namesIn(file)).toEqual({ cluster: "homelab", pool: "other" });
    fs.writeFileSync(file, text.replace("version: ", "version: x"));
    expect(() => namesIn(file)).toThrow(
      /^Pulumi\.k3s\.yaml does not say which resource pool[^]*\nnext: {2}fix the stack file/,
    );
    fs.rmSync(path.dirname(file), { recursive: true });
  });

  it.each(["", ".shared", "../x", "A"])("refuses the name '%s'", async (name) => {
    await expect(undo("root@pve", { name, ssh: "false" })).rejects.toThrow(
      /^the name ".*" must be .*\nnext: {2}choose/,
    );
  });
});

it.each(["-oProxyCommand=x", "", "root@pve x"])("'%s' is not a valid host to log in to", (target) => {
  expect(() => new AdminShell("ssh", target)).toThrow(
    /is not the name or address of a host\nnext: {2}name the Proxmox/,
  );
});

it("a question fails if the input ends", async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const answer = personAt(input, output).ask("Workers", "2", Number);
  input.write("3\n");
  expect(await answer).toBe(3);
  const confirmed = personAt(input, output).confirm("Prepare?");
  input.end();
  await expect(confirmed).rejects.toThrow(/^nobody answered: Prepare\? .*\nnext: .*--yes/);
});

it("only the person can read a state that init logs in to", async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "init-"));
  const state = path.join(home, ".pulumi");
  fs.mkdirSync(state, { mode: 0o755 });
  const pulumi =
    '#!/bin/sh\n[ "$1" = login ] || { echo "error: PULUMI_ACCESS_TOKEN must be set for login" >&2; exit 1; }\n';
  fs.writeFileSync(path.join(home, "pulumi"), pulumi, { mode: 0o755 });
  // A process reads the home folder from its environment.
  const env = { ...process.env, HOME: home, PATH: `${home}:${process.env["PATH"]}` };
  const run = 'require("./cli/init/local.ts").ensureLogin().then(console.log)';
  const said = execFileSync(process.execPath, ["--import", "tsx", "-e", run], { cwd: repo, env, encoding: "utf8" });
  expect(said).toBe("MADE\n");
  expect(fs.statSync(state).mode & 0o777).toBe(0o700);
  fs.rmSync(home, { recursive: true });
});

test("a person's own passphrase or file is used if they have one", () => {
  expect(passphraseFile({ PULUMI_CONFIG_PASSPHRASE: "" })).toBeUndefined();
  expect(passphraseFile({ PULUMI_CONFIG_PASSPHRASE_FILE: "/a" })).toBe("/a");
  expect(passphraseFile({})).toMatch(/\/\.config\/proxmox-k3s-passphrase$/);
});

describe("the stack's secrets", () => {
  const OWN = "k3s-homelab@pve!pulumi=old";

  /** The printed text and the secrets set, with keys that were created in this run. @param made the secret that the host gives for a new token */
  function secrets(fresh: readonly string[], { token = OWN, made = "", used = [] as number[] }): string[] {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "init-"));
    const at = (file: string): string => path.join(folder, file);
    const command = (file: string, text: string): void =>
      fs.writeFileSync(at(file), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    const config = JSON.stringify(
      Object.fromEntries(["hostPrivateKey", "nodePrivateKey", "proxmoxApiToken"].map((key) => [`p:${key}`, {}])),
    );
    command(
      "pulumi",
      `case "$1 $2" in "config get") echo '${token}' ;; "config set") printf '%s ' "$4"; cat; echo ;; *) echo '${config}' ;; esac | tee -a ${at("log")}`,
    );
    command("ssh", `cat >/dev/null; printf %s '${made}'`);
    for (const key of ["host", "node"]) fs.writeFileSync(at(key), `new ${key} key`);
    const run = `
      const { setSecrets } = require("./cli/init/secrets.ts");
      const { AdminShell } = require("./cli/adminShell.ts");
      const plan = require("./plan/load.ts").loadPlan(require("./cli/preview/former.ts").clusterIn("Pulumi.homelab.yaml"));
      const subject = { name: "homelab", shell: new AdminShell("ssh", "root@pve"), plan, facts: { usedVmIds: new Set(${JSON.stringify(used)}) } };
      setSecrets(subject, { host: "${at("host")}", node: "${at("node")}" }, new Set(${JSON.stringify(fresh.map(at))}));`;
    const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
    const said = execFileSync(process.execPath, ["--import", "tsx", "-e", run], { cwd: repo, env, encoding: "utf8" });
    const set = fs
      .readFileSync(at("log"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("proxmox-k3s:"));
    fs.rmSync(folder, { recursive: true });
    return [
      ...said
        .split("\n")
        .filter(Boolean)
        .map((line) => line.replaceAll(folder, "").replace(/ +/g, " ")),
      ...set,
    ];
  }
  const stands = (key: string): string => `✓ stands secret ${key}`;
  const made = (key: string): string => `+ made secret ${key}`;

  it("stay if nothing was lost, and so does the person's own token", () => {
    const all = ["hostPrivateKey", "nodePrivateKey", "proxmoxApiToken"].map(stands);
    expect(secrets([], {})).toEqual(all);
    expect(secrets([], { token: "me@pve!mine=x", made: "never" })).toEqual(all);
  });

  it("are set again for new keys and a new token", () => {
    expect(secrets(["host", "node"], { made: "secret" })).toEqual([
      ...["hostPrivateKey", "nodePrivateKey", "proxmoxApiToken"].map(made),
      ...["proxmox-k3s:hostPrivateKey new host key", "proxmox-k3s:nodePrivateKey new node key"],
      "proxmox-k3s:proxmoxApiToken k3s-homelab@pve!pulumi=secret",
    ]);
  });

  it("keep the key that the nodes have", () => {
    expect(secrets(["node"], { used: [100] })).toEqual([
      stands("hostPrivateKey"),
      "! differs secret nodePrivateKey is not the key /node: the existing nodes accept only the secret's key",
      stands("proxmoxApiToken"),
    ]);
  });
});
