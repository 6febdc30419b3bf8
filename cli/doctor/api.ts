import { caPath, caProblem, trustCommand } from "../../credentials/certificates";
import type { ClusterPlan, ProxmoxPlan } from "../../plan/model";
import { POOL_ROLE, poolPath, privilegePaths, type Role, rolesOf } from "../../plan/privileges";
import { type Answer, openApi } from "../proxmoxApi";
import { fail, type Finding, ok, skip, warn } from "./finding";

/** Checks the Proxmox VE API as the Proxmox provider uses it: address, certificate, token and privileges. */
export async function checkApi(plan: ClusterPlan, token: string | undefined): Promise<Finding[]> {
  const { endpoint, insecure } = plan.proxmox;
  const trust = insecure ? undefined : caProblem(plan.proxmox);
  if (trust?.kind === "unreadable") {
    const why = "there is no certificate to check it with";
    return [skip("api", why), fail("tls", trust.seen, trust.remedy), skip("token", why), ...withoutToken(why)];
  }
  const { get, close } = openApi(plan.proxmox, token);
  try {
    const version = await get("/version");
    return [
      ok("api", `${endpoint} answers${version.status === 200 ? `, Proxmox VE ${versionOf(version.data)}` : ""}`),
      trust ? fail("tls", trust.seen, trust.remedy) : certificate(plan.proxmox),
      ...(await checkToken(plan, token, version, get)),
    ];
  } catch (error) {
    const others = [skip("token", "the API cannot be used"), ...withoutToken("the API cannot be used")];
    return [...noAnswer(error as NodeJS.ErrnoException, plan.proxmox), ...others];
  } finally {
    close();
  }
}

function certificate({ insecure, caFile }: ProxmoxPlan): Finding {
  if (!insecure) return ok("tls", `the API's certificate is trusted${caFile === undefined ? "" : `, by ${caFile}`}`);
  const remedy = "remove proxmox.insecure, and set proxmox.caFile to a copy of /etc/pve/pve-root-ca.pem";
  return warn("tls", "the API's certificate is not checked", remedy);
}

const CERTIFICATE_ERRORS = /^(CERT_|ERR_TLS_CERT|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

/** What to do about a certificate, by Node.js's code; by default its CA is not trusted. */
const CERTIFICATE_REMEDIES: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID:
    "set proxmox.endpoint to one of the names or addresses that the certificate has, for example https://pve.lan:8006/",
  CERT_HAS_EXPIRED: "renew it: pvecm updatecerts --force on the Proxmox host, then systemctl restart pveproxy there",
  CERT_NOT_YET_VALID: "set the clock: compare date on this machine and on the Proxmox host",
};

/** Why the API cannot be used: nothing answers, or its certificate does not prove its identity. */
export function noAnswer(
  { code = "", message }: NodeJS.ErrnoException,
  { endpoint, host, caFile }: Pick<ProxmoxPlan, "endpoint" | "host" | "caFile">,
): Finding[] {
  if (!CERTIFICATE_ERRORS.test(code)) {
    const remedy = "check proxmox.host or proxmox.endpoint in the config, and on the host: systemctl status pveproxy";
    return [fail("api", `${endpoint} does not answer: ${message}`, remedy), skip("tls", "no answer")];
  }
  const file = caFile ?? "certificates/pve.pem";
  const copy = `scp root@${host}:/etc/pve/pve-root-ca.pem ${file}`;
  const ca = caFile === undefined ? `${copy}, set proxmox.caFile to ${file}, then ${trustCommand(caPath(file))}` : copy;
  return [
    ok("api", `${endpoint} answers`),
    fail("tls", `the API's certificate is not trusted: ${message}`, CERTIFICATE_REMEDIES[code] ?? ca),
  ];
}

async function checkToken(
  plan: ClusterPlan,
  token: string | undefined,
  version: Answer,
  get: (path: string) => Promise<Answer>,
): Promise<Finding[]> {
  if (token === undefined) return [skip("token", "there is no token"), ...withoutToken("there is no token")];
  const id = token.slice(0, token.lastIndexOf("="));
  if (version.status !== 200) {
    const user = id.split("!")[0];
    const seen = `${id} is refused: ${version.status} ${version.reason}`;
    const remedy = `check the token with pveum user token list ${user} on the host, then pulumi config set --secret proxmoxApiToken ${id}=…`;
    return [fail("token", seen, remedy), ...withoutToken("the token is refused")];
  }
  const held = async (path: string): Promise<ReadonlySet<string>> => {
    const { data } = await get(`/access/permissions?path=${encodeURIComponent(path)}`);
    return new Set(Object.keys((data as Record<string, Record<string, number>> | null)?.[path] ?? {}));
  };
  const [privileges, reach] = await Promise.all([checkPrivileges(plan, id, held), checkReach(plan, id, held)]);
  return [ok("token", `${id} is accepted`), privileges, reach];
}

/** The checks of a token's privileges, if there is no token to ask about. */
const withoutToken = (why: string): Finding[] => ["privileges", "reach"].map((check) => skip(check, why));

/** The privileges of the token at a path. */
type Held = (path: string) => Promise<ReadonlySet<string>>;

async function checkPrivileges(plan: ClusterPlan, id: string, held: Held): Promise<Finding> {
  const lacking = await Promise.all(
    [...privilegePaths(plan)].map(async ([path, privileges]): Promise<Lacking> => {
      const there = await held(path);
      return { path, privileges: privileges.filter((privilege) => !there.has(privilege)) };
    }),
  );
  return judgePrivileges(
    id,
    lacking.filter(({ privileges }) => privileges.length > 0),
    rolesOf(plan),
  );
}

/** The privileges that a token needs at a path and does not have. */
interface Lacking {
  readonly path: string;
  readonly privileges: readonly string[];
}

export function judgePrivileges(
  id: string,
  lacking: readonly Lacking[],
  roles: readonly { readonly role: Role; readonly path: string }[],
): Finding {
  if (lacking.length === 0) return ok("privileges", `${id} has all privileges that the program needs`);
  const missing = new Set(lacking.flatMap(({ privileges }) => privileges));
  const remedies = roles.map(({ role, path }) => grant(role, path, id, missing));
  return fail(
    "privileges",
    `${id} lacks ${lacking.map(({ path, privileges }) => `${privileges.join(", ")} at ${path}`).join("; ")}`,
    `${remedies.filter(Boolean).join("; ")} (docs/by-hand.md, "An API token")`,
  );
}

/** If all privileges of a role are missing, the role was not granted. If only some are missing, the role itself lacks them. */
function grant({ name, privileges }: Role, path: string, id: string, lacking: ReadonlySet<string>): string {
  const missing = privileges.filter((privilege) => lacking.has(privilege));
  if (missing.length === 0) return "";
  // A token with privilege separation needs the role itself, in addition to its user. For a token without it, an entry of its own
  // has no effect.
  return missing.length === privileges.length
    ? `pveum acl modify ${path} --users '${id.split("!")[0]}' --tokens '${id}' --roles ${name}`
    : `pveum role modify ${name} --append 1 --privs "${missing.join(" ")}"`;
}

/** Whether the token can change guests outside the cluster's pool. Proxmox VE would then not protect them from a mistake. */
async function checkReach({ proxmox }: ClusterPlan, id: string, held: Held): Promise<Finding> {
  const everywhere = await held("/vms");
  const reaching = POOL_ROLE.privileges.filter((privilege) => everywhere.has(privilege));
  const own = `resource pool ${proxmox.resourcePool}`;
  if (reaching.length === 0) return ok("reach", `${id} can change no guest outside the ${own}`);
  return warn(
    "reach",
    `${id} has ${reaching.join(", ")} on all guests of the host, but needs it only in the ${own}`,
    `grant ${POOL_ROLE.name} at ${poolPath(proxmox.resourcePool)} instead of at / or /vms (docs/by-hand.md, "An API token")`,
  );
}

function versionOf(data: unknown): string {
  return String((data as { version?: unknown } | null)?.version);
}
