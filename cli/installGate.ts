import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as sshpk from "sshpk";

import { readCredentials } from "../credentials/read";
import { fromEnvironment, SOURCES } from "../credentials/sources";
import { advice } from "../remote/advice";
import { checkGate } from "../remote/gateCheck";
import { authorizedKeysLine, GATE_FILE, renderGate } from "../remote/hostGate";
import { quote } from "../remote/script";
import { AdminShell } from "./adminShell";
import { readStack, unusableHostKey } from "./stack";
import { StackError } from "./stackProblem";

export interface GateCommandOptions {
  /** `root@HOST`; without it, the gate is printed. */
  readonly install?: string;
  /** File with the private key that the program uses for the host; by default the key of the selected stack. */
  readonly key?: string;
  readonly artifacts: readonly string[];
  /** Files with the nodes' public keys. */
  readonly nodeKey: readonly string[];
  /** The user's SSH command, with its options. */
  readonly ssh: string;
}

/** The key that docs/by-hand.md creates before there is a stack. */
const BEFORE_A_STACK = "~/.ssh/proxmox-k3s-host";

/**
 * Prints the gate, or installs it on the Proxmox host: the file and its line in root's `authorized_keys`. Then it tests the
 * gate with one script. A second run changes nothing that is up to date.
 * @throws Error with the cause and the next step
 */
export async function gate(options: GateCommandOptions): Promise<void> {
  const nodeKeys = options.nodeKey.map((file) => fs.readFileSync(file, "utf8").trim());
  const { artifacts, install } = options;
  if (install === undefined) return void process.stdout.write(renderGate({ artifacts, nodeKeys }));
  const host = new AdminShell(options.ssh, install);
  const privateKey = options.key === undefined ? await usualKey() : readKey(options.key);
  const former = await host.run(`cat ${GATE_FILE} 2>/dev/null || :`);
  const text = renderGate({ artifacts, nodeKeys, former });
  const publicKey = sshpk.parsePrivateKey(privateKey, "auto").toPublic();
  publicKey.comment = "proxmox-k3s";
  console.log(await host.run(installCommand(text, publicKey.toString("ssh")), text));
  const [hostKey = ""] = /^ssh-ed25519 \S+/.exec(await host.run("cat /etc/ssh/ssh_host_ed25519_key.pub")) ?? [];
  const { address, port } = await host.resolve();
  const reached = await checkGate({ host: address, port, user: "root", privateKey, hostKey, dials: 1 }, "gate");
  if (!reached)
    throw new Error(
      advice(
        `the gate is installed, but ${address} does not accept the key ${options.key ?? "of the program"}`,
        `read sshd's log on the host: journalctl -u ssh`,
      ),
    );
  console.log(`the gate on ${address} runs this program's scripts`);
  if (hostKey !== "") console.log(`proxmox.hostKey: "${hostKey}"`);
}

/** @throws Error if there is a stack, and it or its key cannot be read: a wrong key would then get root on the host */
async function usualKey(): Promise<string> {
  const stack = await readStack().catch((error: unknown) => {
    if (error instanceof StackError && error.isNoStack) return undefined;
    throw error;
  });
  if (stack === undefined) return fromEnvironment(SOURCES.hostKey) ?? readKey(BEFORE_A_STACK);
  const { values, missing, problems } = readCredentials(stack.config, []);
  if (values.hostKey !== undefined) return values.hostKey;
  if (missing.includes(SOURCES.hostKey)) return readKey(BEFORE_A_STACK);
  throw unusableHostKey(problems);
}

function readKey(file: string): string {
  const full = file.replace(/^~(?=\/)/, os.homedir());
  try {
    return fs.readFileSync(full, "utf8");
  } catch {
    throw new Error(
      advice(
        `there is no private key ${file}`,
        `create it: ssh-keygen -t ed25519 -N '' -C proxmox-k3s-host -f ${file}; or name another file with --key`,
      ),
    );
  }
}

/**
 * The command for the administrator's shell on the host; the gate is on its stdin. It replaces nothing until the whole gate has
 * arrived and Perl can read it. Afterwards `authorized_keys` has exactly one line with the program's key.
 */
function installCommand(gateText: string, publicKey: string): string {
  const sum = createHash("sha256").update(gateText).digest("hex");
  const [type = "", key = ""] = publicKey.split(" ");
  const line = authorizedKeysLine(publicKey);
  return [
    "set -eu; umask 077",
    `new=$(mktemp ${GATE_FILE}.XXXXXX); trap 'rm -f "$new" "$new.keys"' EXIT`,
    'cat >"$new"',
    `printf '%s  %s\\n' ${sum} "$new" | sha256sum -c --status || { echo "error: the gate arrived incomplete"; exit 1; }`,
    'perl -Tc "$new" 2>/dev/null || { echo "error: perl on this host cannot read the gate"; exit 1; }',
    `if cmp -s "$new" ${GATE_FILE}; then echo "${GATE_FILE} is up to date"; else chmod 0755 "$new"; mv -f "$new" ${GATE_FILE}; echo "${GATE_FILE} was installed"; fi`,
    'keys=/root/.ssh/authorized_keys; mkdir -p /root/.ssh; touch "$keys"; keys=$(readlink -f "$keys")',
    `{ grep -vF -- ${quote(`${type} ${key}`)} "$keys" || :; printf '%s\\n' ${quote(line)}; } >"$new.keys"`,
    'if cmp -s "$new.keys" "$keys"; then echo "$keys has the line for the key"; else cat "$new.keys" >"$keys"; echo "$keys: wrote the line for the key"; fi',
  ].join("\n");
}
