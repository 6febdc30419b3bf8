import * as fs from "node:fs";
import { Homelab } from "../support/homelab";
import { selfSigned } from "../../lab/support/selfSigned";

/*
 * An API whose certificate no CA in proxmox.caFile has signed: the real Proxmox provider sends no request, so no token is sent and
 * no guest is made. The program's own checks before that: tests/program/caFile.test.ts.
 */

jest.setTimeout(600_000);

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
});
afterAll(() => lab?.dispose());

it("makes no guest, and names the doctor to find the cause", async () => {
  const other = lab.scratch("other.pem");
  fs.writeFileSync(other, selfSigned({ name: "other" }).cert);
  // The shell trusts the CA in the config, as the program requires; the API's certificate has another one.
  lab.edit(({ proxmox }) => (proxmox.caFile = other));
  Object.assign(lab.env, { SSL_CERT_FILE: other });
  const run = await lab.up("--continue-on-error");
  expect(run.code).not.toBe(0);
  expect(run.errors.join("\n")).toMatch(/x509: certificate signed by unknown authority|failed to verify certificate/);
  expect(run.warnings.join("\n")).toContain(
    "k3s-master: the Proxmox provider does not trust the API's certificate, so it sent no request\nnext:  npx proxmox-k3s doctor",
  );
  expect([lab.guests, lab.asked]).toEqual([[], []]);
  const { stdout } = await lab.doctor();
  expect(stdout).toContain(`the API's certificate is not trusted: self-signed certificate`);
  expect(stdout).toContain(`scp root@192.168.2.167:/etc/pve/pve-root-ca.pem ${other}`);
});
