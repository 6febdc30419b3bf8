import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { selfSigned } from "../../lab/support/selfSigned";
import { newKeyPair } from "../support/sshKeys";
import { recordProgram, type Recording, stackCluster } from "../support/program";
import { changed } from "../unit/config/support";

/* An `up` begins only if the Proxmox provider trusts the CA in proxmox.caFile (docs/decisions/0020). */

// The program and its SDK are loaded again for each recording, on a machine that may be busy.
jest.setTimeout(60_000);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ca-file-"));
const at = (name: string): string => path.join(folder, name);
const key = newKeyPair();
const secrets = {
  proxmoxApiToken: "pulumi@pve!test=11111111-2222-3333-4444-555555555555",
  hostPrivateKey: key.private,
  nodePrivateKey: key.private,
};
const run = (caFile: string, preview: boolean): Promise<Recording> => {
  const change = { proxmox: { caFile: at(caFile) }, ssh: { authorizedKeys: [key.public] } };
  return recordProgram({ cluster: changed(stackCluster(), change), secrets, preview });
};

const saved = { ...process.env };
beforeAll(() => {
  for (const name of ["pve", "other"]) fs.writeFileSync(at(`${name}.pem`), selfSigned({ name }).cert);
  for (const name of ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"])
    delete process.env[name];
  for (const name of ["SSH_AUTH_SOCK", "SSL_CERT_DIR"]) delete process.env[name];
  process.env["SSL_CERT_FILE"] = at("pve.pem");
});
afterAll(() => {
  process.env = saved;
  fs.rmSync(folder, { recursive: true });
});

it("an up with the CA that the provider trusts creates its resources", async () => {
  expect((await run("pve.pem", false)).find("k3s-master").type).toBe("proxmoxve:index/containerLegacy:ContainerLegacy");
});

it("an up with another CA is refused, with the line that is missing", async () => {
  await expect(run("other.pem", false)).rejects.toThrow(
    `the Proxmox provider does not trust the CA in proxmox.caFile (${at("other.pem")})\nnext: export SSL_CERT_DIR=${folder}`,
  );
});

it("an up without the file is refused, with the command that fetches it", async () => {
  await expect(run("none.pem", false)).rejects.toThrow(
    `proxmox.caFile: there is no file ${at("none.pem")}\nnext: scp root@192.168.2.167:/etc/pve/pve-root-ca.pem`,
  );
});

it("a preview opens no connection, so it does not ask", async () => {
  expect((await run("other.pem", true)).resources.length).toBeGreaterThan(10);
});
