import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { PassThrough } from "node:stream";

import { AdminShell } from "../../../cli/adminShell";
import { passphraseFile } from "../../../cli/init/local";
import { personAt } from "../../../cli/init/person";
import { namesIn, undo } from "../../../cli/init/undo";

/* What `init` reads, asks and makes on the person's machine. */

const repo = path.join(__dirname, "../../..");

describe("--undo", () => {
  it("takes no other pool than the cluster's, if the stack file cannot be read", () => {
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

it.each(["-oProxyCommand=x", "", "root@pve x"])("'%s' is no host to log in to", (target) => {
  expect(() => new AdminShell("ssh", target)).toThrow(
    /is not the name or address of a host\nnext: {2}name the Proxmox/,
  );
});

it("a question fails if the input ends", async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const answer = personAt(input, output).ask("Workers", "2");
  input.write("3\n");
  expect(await answer).toBe("3");
  const confirmed = personAt(input, output).confirm("Prepare?");
  input.end();
  await expect(confirmed).rejects.toThrow(/^nobody answered: Prepare\? .*\nnext: .*--yes/);
});

it("a state that init logs in to is the person's alone", async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "init-"));
  const state = path.join(home, ".pulumi");
  fs.mkdirSync(state, { mode: 0o755 });
  const pulumi =
    '#!/bin/sh\n[ "$1" = login ] || { echo "error: PULUMI_ACCESS_TOKEN must be set for login" >&2; exit 1; }\n';
  fs.writeFileSync(path.join(home, "pulumi"), pulumi, { mode: 0o755 });
  // The home folder is read from the environment of a process.
  const env = { ...process.env, HOME: home, PATH: `${home}:${process.env["PATH"]}` };
  const run = 'require("./cli/init/local.ts").ensureLogin().then(console.log)';
  const said = execFileSync(process.execPath, ["--import", "tsx", "-e", run], { cwd: repo, env, encoding: "utf8" });
  expect(said).toBe("MADE\n");
  expect(fs.statSync(state).mode & 0o777).toBe(0o700);
  fs.rmSync(home, { recursive: true });
});

test("the passphrase's file is the person's, if they have one", () => {
  expect(passphraseFile({ PULUMI_CONFIG_PASSPHRASE: "" })).toBeUndefined();
  expect(passphraseFile({ PULUMI_CONFIG_PASSPHRASE_FILE: "/a" })).toBe("/a");
  expect(passphraseFile({})).toMatch(/\/\.config\/proxmox-k3s-passphrase$/);
});
