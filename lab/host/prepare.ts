import { randomBytes, randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { build } from "esbuild";
import { artifactHost, Lab, labNetwork, labPaths, stackOf } from "../lab";
import { createAccess, readmeGrants } from "../pve/access/createAccess";
import { pvePackages } from "./pvePackages";
import { run } from "./run";
import { createCertificates, writeCaBundle } from "./tls";

/**
 * Makes all that a lab needs before its first process runs: keys, certificates, API token, the Proxmox host's files that
 * are not in its image, and the person's own. Returns the public keys.
 */
export async function prepareState(
  name: string,
  subnet: number,
): Promise<Pick<Lab, "hostPublicKey" | "nodePublicKey">> {
  const paths = labPaths(name);
  const { hostUpper, hostWork, hostRoot, lxc, logs, etcPve, faults } = paths;
  for (const folder of [hostUpper, hostWork, hostRoot, lxc, logs, etcPve, faults]) {
    fs.mkdirSync(folder, { recursive: true });
  }
  fs.mkdirSync(paths.client, { mode: 0o700 });
  for (const folder of [paths.bin, paths.pulumiState, paths.k3sData]) fs.mkdirSync(folder);
  await createKey(paths.hostKey, "lab-proxmox-host");
  await createKey(paths.nodeKey, "lab-nodes");
  const hostPublicKey = await writeHostFiles(name, subnet);
  await createCertificates(paths.etcPve, labNetwork(subnet).host);
  writeCaBundle(paths.caBundle, paths.etcPve);
  const { apiToken } = createAccess(paths.etcPve, {
    ...{ rootPassword: secret(), tokenSecret: randomUUID() },
    // The cluster's name, which is the stack's.
    grants: readmeGrants(stackOf(name)),
  });
  writeSecret(paths.apiToken, apiToken);
  writeSecret(paths.passphrase, secret());
  fs.writeFileSync(paths.knownHosts, `${labNetwork(subnet).host} ${hostPublicKey}\n`);
  return { hostPublicKey, nodePublicKey: readPublic(paths.nodeKey) };
}

/** The Proxmox host's own files, as the upper layer of its root file system. Returns its public host key. */
async function writeHostFiles(name: string, subnet: number): Promise<string> {
  const { hostUpper, hostKey } = labPaths(name);
  const { host, machine } = labNetwork(subnet);
  const write = (file: string, text: string, mode = 0o644) => {
    fs.mkdirSync(path.dirname(path.join(hostUpper, file)), { recursive: true });
    fs.writeFileSync(path.join(hostUpper, file), text, { mode });
  };
  write("etc/hostname", "pve\n");
  write("etc/hosts", `127.0.0.1 localhost\n::1 localhost\n${host} pve.lab pve ${artifactHost}\n${machine} machine\n`);
  // The lab's name server, which knows these names and refuses all others at once.
  write("etc/resolv.conf", `nameserver ${host}\n`);
  write("etc/ssh/sshd_config.d/lab.conf", sshdConfig);
  await createKey(path.join(hostUpper, "etc/ssh/ssh_host_ed25519_key"), "root@pve");
  write("root/.ssh/authorized_keys", `${readPublic(hostKey)}\n`, 0o600);
  for (const folder of ["root", "root/.ssh"]) fs.chmodSync(path.join(hostUpper, folder), 0o700);
  write("usr/sbin/pct", fs.readFileSync(path.join(__dirname, "pct.sh"), "utf8"), 0o755);
  write("usr/bin/pvesh", '#!/bin/sh\nexec node /usr/share/lab/pvesh.cjs "$@"\n', 0o755);
  write("usr/sbin/qm", '#!/bin/sh\nexec node /usr/share/lab/qm.cjs "$@"\n', 0o755);
  for (const command of ["pct", "pvesh", "qm"])
    await bundle(`${command}.ts`, path.join(hostUpper, `usr/share/lab/${command}.cjs`));
  write("usr/share/lab/dpkg-status", pvePackages);
  const publicKey = readPublic(path.join(hostUpper, "etc/ssh/ssh_host_ed25519_key"));
  return publicKey.split(" ").slice(0, 2).join(" ");
}

const sshdConfig = `HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintLastLog no
PrintMotd no
UsePAM no
`;

/** Bundles a program into one file without dependencies. Scripts call it often, so it must start fast. */
async function bundle(entry: string, outfile: string): Promise<void> {
  const target = "node22";
  await build({
    entryPoints: [path.join(__dirname, entry)],
    outfile,
    bundle: true,
    platform: "node",
    target,
    format: "cjs",
  });
}

async function createKey(file: string, comment: string): Promise<void> {
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file]);
}

function readPublic(keyFile: string): string {
  return fs.readFileSync(`${keyFile}.pub`, "utf8").trim();
}

function secret(): string {
  return randomBytes(24).toString("base64url");
}

function writeSecret(file: string, text: string): void {
  fs.writeFileSync(file, text, { mode: 0o600 });
}
