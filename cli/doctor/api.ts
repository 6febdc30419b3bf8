import * as fs from "node:fs";
import * as https from "node:https";
import * as tls from "node:tls";

import type { ClusterPlan } from "../../plan/model";
import { HOST_ROLE, POOL_ROLE, poolPath, privilegePaths, type Role } from "../../plan/privileges";
import { fail, type Finding, ok, skip, warn } from "./finding";

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly data: unknown;
}

/** Seconds for one answer. */
const TIMEOUT = 10;

/** Checks the Proxmox VE API as the Proxmox client will use it: it answers, by its certificate, to the token, with its privileges. */
export async function checkApi(plan: ClusterPlan, token: string | undefined): Promise<Finding[]> {
  const { endpoint, insecure, host } = plan.proxmox;
  const agent = new https.Agent({ keepAlive: true, maxSockets: 4 });
  const get = (path: string): Promise<Answer> => request(agent, endpoint, insecure, path, token);
  try {
    const version = await get("/version");
    return [
      ok("api", `${endpoint} answers${version.status === 200 ? `, Proxmox VE ${versionOf(version.data)}` : ""}`),
      insecure
        ? warn(
            "tls",
            "the certificate is not checked",
            "take proxmox.insecure out, and give your machine the host's CA",
          )
        : ok("tls", "the certificate is the host's"),
      ...(await checkToken(plan, token, version, get)),
    ];
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const others = [skip("token", "the API cannot be used"), ...withoutToken("the API cannot be used")];
    if (CERTIFICATE_ERRORS.test(code)) {
      const remedy = `scp root@${host}:/etc/pve/pve-root-ca.pem . and add it to your trusted CAs, or name a bundle with it in SSL_CERT_FILE`;
      return [
        ok("api", `${endpoint} answers`),
        fail("tls", `its certificate is refused: ${message}`, remedy),
        ...others,
      ];
    }
    const remedy = "see that proxmox.host or proxmox.endpoint is right, and on the host: systemctl status pveproxy";
    return [fail("api", `${endpoint} does not answer: ${message}`, remedy), skip("tls", "no answer"), ...others];
  } finally {
    agent.destroy();
  }
}

const CERTIFICATE_ERRORS = /^(CERT_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

async function checkToken(
  plan: ClusterPlan,
  token: string | undefined,
  version: Answer,
  get: (path: string) => Promise<Answer>,
): Promise<Finding[]> {
  if (token === undefined) return [skip("token", "there is none"), ...withoutToken("there is no token")];
  const id = token.slice(0, token.lastIndexOf("="));
  if (version.status !== 200) {
    const user = id.split("!")[0];
    const seen = `${id} is refused: ${version.status} ${version.reason}`;
    const remedy = `pveum user token list ${user} on the host; then pulumi config set --secret proxmoxApiToken ${id}=…`;
    return [fail("token", seen, remedy), ...withoutToken("the token is refused")];
  }
  const held = async (path: string): Promise<ReadonlySet<string>> => {
    const { data } = await get(`/access/permissions?path=${encodeURIComponent(path)}`);
    return new Set(Object.keys((data as Record<string, Record<string, number>> | null)?.[path] ?? {}));
  };
  const [privileges, reach] = await Promise.all([checkPrivileges(plan, id, held), checkReach(plan, id, held)]);
  return [ok("token", `${id} is accepted`), privileges, reach];
}

/** The checks of what a token may do, where none can be asked about. */
const withoutToken = (why: string): Finding[] => ["privileges", "reach"].map((check) => skip(check, why));

/** What the token's holder may do at a path. */
type Held = (path: string) => Promise<ReadonlySet<string>>;

async function checkPrivileges(plan: ClusterPlan, id: string, held: Held): Promise<Finding> {
  const lacking = new Map<string, string[]>();
  await Promise.all(
    [...privilegePaths(plan)].map(async ([path, privileges]) => {
      const there = await held(path);
      for (const name of privileges.filter((privilege) => !there.has(privilege)))
        lacking.set(name, [...(lacking.get(name) ?? []), path]);
    }),
  );
  if (lacking.size === 0) return ok("privileges", `${id} has all that the program needs`);
  const user = id.split("!")[0];
  const remedies = [
    grant(POOL_ROLE, poolPath(plan.proxmox.resourcePool), user, lacking),
    grant(HOST_ROLE, "/", user, lacking),
  ];
  return fail(
    "privileges",
    `${id} lacks ${[...lacking].map(([privilege, paths]) => `${privilege} at ${paths.join(", ")}`).join("; ")}`,
    `${remedies.filter(Boolean).join("; ")} (README, "An API token"; a token with privilege separation needs the role itself)`,
  );
}

/** A role of which nothing is there was not granted; one of which something is there lacks the rest. */
function grant(
  { name, privileges }: Role,
  path: string,
  user: string | undefined,
  lacking: ReadonlyMap<string, unknown>,
): string {
  const missing = privileges.filter((privilege) => lacking.has(privilege));
  if (missing.length === 0) return "";
  return missing.length === privileges.length
    ? `pveum acl modify ${path} --users ${user} --roles ${name}`
    : `pveum role modify ${name} --append 1 --privs "${missing.join(" ")}"`;
}

/** Whom the token could hurt: where it holds at all guests what it needs at its own, Proxmox VE refuses it nothing. */
async function checkReach({ proxmox }: ClusterPlan, id: string, held: Held): Promise<Finding> {
  const everywhere = await held("/vms");
  const reaching = POOL_ROLE.privileges.filter((privilege) => everywhere.has(privilege));
  const own = `resource pool ${proxmox.resourcePool}`;
  if (reaching.length === 0) return ok("reach", `${id} can change no guest outside the ${own}`);
  return warn(
    "reach",
    `${id} has ${reaching.join(", ")} at all guests of the host, and needs it in the ${own} only`,
    `grant ${POOL_ROLE.name} at ${poolPath(proxmox.resourcePool)} in place of / or /vms (README, "An API token")`,
  );
}

function request(
  agent: https.Agent,
  endpoint: string,
  insecure: boolean,
  path: string,
  token?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = https.get(new URL(`/api2/json${path}`, endpoint), {
      agent,
      ca: trustedCas(),
      rejectUnauthorized: !insecure,
      timeout: TIMEOUT * 1000,
      headers: token === undefined ? {} : { authorization: `PVEAPIToken=${token}` },
    });
    call.on("timeout", () => call.destroy(new Error(`no answer within ${TIMEOUT} s`)));
    call.on("error", reject);
    call.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("error", reject).on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode: status = 0, statusMessage: reason = "" } = response;
        resolve({ status, reason, data: dataOf(Buffer.concat(chunks).toString()) });
      });
    });
  });
}

/** The CAs that the Proxmox client trusts, which is a Go program: Node has a list of its own. */
function trustedCas(): string[] {
  const file = process.env["SSL_CERT_FILE"];
  if (process.platform === "linux" && file) return fs.existsSync(file) ? [fs.readFileSync(file, "utf8")] : [];
  return tls.getCACertificates("system");
}

function dataOf(body: string): unknown {
  try {
    return (JSON.parse(body) as { data?: unknown }).data ?? null;
  } catch {
    return null;
  }
}

function versionOf(data: unknown): string {
  return String((data as { version?: unknown } | null)?.version);
}
