import * as fs from "node:fs";
import * as https from "node:https";
import * as os from "node:os";
import * as path from "node:path";

import { checkApi } from "../../../cli/doctor/api";
import { openApi } from "../../../cli/proxmoxApi";
import { caProblem } from "../../../credentials/certificates";
import { loadPlan } from "../../../plan/load";
import { selfSigned } from "../../../lab/support/selfSigned";
import { homelabConfig } from "../config/support";

/* Which CAs are trusted: `proxmox.caFile`, and whether the Proxmox provider, a Go program, trusts it too. */

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "certificates-"));
const at = (name: string): string => path.join(folder, name);
const VARIABLES = ["SSL_CERT_FILE", "SSL_CERT_DIR"] as const;
const saved = VARIABLES.map((name) => [name, process.env[name]] as const);

function makeCa(name: string): void {
  const { cert, key } = selfSigned({ name, altNames: "IP:127.0.0.1" });
  fs.writeFileSync(at(`${name}.pem`), cert);
  fs.writeFileSync(at(`${name}.key`), key);
}

beforeAll(() => {
  makeCa("pve");
  makeCa("other");
  fs.mkdirSync(at("trusted"));
  fs.copyFileSync(at("pve.pem"), at("trusted/pve.pem"));
  fs.writeFileSync(at("trusted/README.md"), "no certificate");
  fs.writeFileSync(at("empty.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
});
beforeEach(() => VARIABLES.forEach((name) => delete process.env[name]));
afterAll(() => {
  fs.rmSync(folder, { recursive: true });
  for (const [name, value] of saved)
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
});

describe("whether the Proxmox provider trusts proxmox.caFile", () => {
  const host = "192.168.2.167";
  const problem = (caFile?: string, platform = "linux") =>
    caProblem({ host, ...(caFile !== undefined && { caFile }) }, platform);

  it("needs no check without one", () => expect(problem()).toBeUndefined());

  it("yes with SSL_CERT_FILE, and with a folder in SSL_CERT_DIR", () => {
    process.env["SSL_CERT_FILE"] = at("pve.pem");
    expect(problem(at("pve.pem"))).toBeUndefined();
    expect(problem(at("other.pem"))?.kind).toBe("untrusted");
    process.env["SSL_CERT_FILE"] = at("other.pem");
    process.env["SSL_CERT_DIR"] = `${at("none")}:${at("trusted")}`;
    expect(problem(at("pve.pem"))).toBeUndefined();
  });

  it("no with the system's CAs, and the remedy is one line", () => {
    expect(problem(at("pve.pem"))).toEqual({
      kind: "untrusted",
      seen: `the Proxmox provider does not trust the CA in proxmox.caFile (${at("pve.pem")})`,
      remedy: `export SSL_CERT_DIR=${folder}, and put this line into your shell's profile`,
    });
    process.env["SSL_CERT_DIR"] = "/etc/ssl/certs";
    expect(problem(at("pve.pem"))?.remedy).toContain(`export SSL_CERT_DIR=${folder}:$SSL_CERT_DIR,`);
  });

  it("on another system only that system's CAs count", () => {
    process.env["SSL_CERT_FILE"] = at("pve.pem");
    expect(problem(at("other.pem"), "darwin")?.remedy).toMatch(/^sudo security add-trusted-cert /);
  });

  it.each([
    ["none.pem", "there is no file"],
    ["empty.pem", "has no certificate in PEM form"],
  ])("a file that cannot be used is named: %s", (name, why) => {
    expect(problem(at(name))).toMatchObject({
      kind: "unreadable",
      seen: expect.stringContaining(why),
      remedy: expect.stringContaining(`scp root@${host}:/etc/pve/pve-root-ca.pem ${at(name)}`),
    });
  });
});

describe("a command's own connection to the API", () => {
  let server: https.Server;
  let endpoint: string;
  beforeAll(async () => {
    const options = { key: fs.readFileSync(at("pve.key")), cert: fs.readFileSync(at("pve.pem")) };
    server = https.createServer(options, (_, response) => response.end('{"data":{"version":"9.1"}}'));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    endpoint = `https://127.0.0.1:${(server.address() as { port: number }).port}/`;
  });
  afterAll(() => server.close());

  const version = async (caFile?: string): Promise<unknown> => {
    const api = openApi({ endpoint, insecure: false, ...(caFile !== undefined && { caFile }) }, undefined);
    try {
      return (await api.get("/version")).data;
    } finally {
      api.close();
    }
  };

  it("trusts that file", async () => expect(await version(at("pve.pem"))).toEqual({ version: "9.1" }));

  it("the doctor distinguishes a missing file, one that the provider does not trust, and a correct one", async () => {
    const plan = loadPlan(homelabConfig());
    const findings = async (name: string): Promise<string[]> => {
      const proxmox = { ...plan.proxmox, endpoint, caFile: at(name) };
      const found = await checkApi({ ...plan, proxmox }, undefined);
      return found.slice(0, 2).map(({ level, check, seen }) => `${level} ${check}: ${seen}`);
    };
    const answers = `ok api: ${endpoint} answers, Proxmox VE 9.1`;
    const seen = `fail tls: the Proxmox provider does not trust the CA in proxmox.caFile (${at("pve.pem")})`;
    expect(await findings("pve.pem")).toEqual([answers, seen]);
    process.env["SSL_CERT_DIR"] = at("trusted");
    expect(await findings("pve.pem")).toEqual([
      ...[answers, `ok tls: the API's certificate is trusted, by ${at("pve.pem")}`],
    ]);
    expect(await findings("none.pem")).toEqual([
      "skip api: not checked: there is no certificate to check it with",
      `fail tls: proxmox.caFile: there is no file ${at("none.pem")}`,
    ]);
    process.env["SSL_CERT_FILE"] = at("other.pem");
    expect(await findings("other.pem")).toEqual([
      `ok api: ${endpoint} answers`,
      "fail tls: the API's certificate is not trusted: self-signed certificate",
    ]);
  });

  it("trusts nothing else, not even what the machine trusts", async () => {
    process.env["SSL_CERT_FILE"] = at("pve.pem");
    expect(await version()).toEqual({ version: "9.1" });
    await expect(version(at("other.pem"))).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  });
});
