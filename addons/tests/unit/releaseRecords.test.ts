import { gzipSync } from "node:zlib";

import { freeReleases } from "../../components/releaseRecords";
import { nextStep, RELEASE_DESCRIPTION, type ReleaseRecord } from "../../plan/releaseRecords";

/**
 * What happens to Helm's records before an `up`. The API server here is a double that keeps Secrets and supports preconditions;
 * tests/addons/helm.test.ts kills real runs of Helm on a cluster.
 */

const TIMEOUT = 100;
const record = (status: string, more: Partial<ReleaseRecord> = {}): ReleaseRecord => ({
  name: `sh.helm.release.v1.traefik.v1`,
  precondition: { uid: "1", resourceVersion: "1" },
  ...{ status, age: 1000, isOurs: false },
  ...more,
});

describe("a release that the state has", () => {
  test.each(["deployed", "failed", "superseded"])("goes on if its last record is %s", (status) => {
    expect(nextStep([record(status)], true, TIMEOUT)).toEqual({ kind: "go" });
  });

  test.each(["pending-install", "pending-upgrade", "pending-rollback"])(
    "loses a record of a killed run: %s",
    (status) => {
      const pending = record(status);
      expect(nextStep([record("deployed", { isOurs: true }), pending], true, TIMEOUT)).toEqual({
        kind: "remove",
        records: [pending],
      });
    },
  );

  test("does not change as long as a run may be at work", () => {
    const pending = record("pending-upgrade", { age: 70 });
    expect(nextStep([record("deployed"), pending], true, TIMEOUT)).toEqual({
      ...{ kind: "wait", seconds: 30 },
      records: [pending],
    });
  });
});

test("an interrupted removal must be completed first, because Helm cannot upgrade such a release", async () => {
  expect(nextStep([record("uninstalling", { age: 1 })], true, TIMEOUT)).toEqual({ kind: "removal" });
  const { problems } = await free(new SecretsDouble([kept("v1", "uninstalling", "Deletion in progress")]), true);
  expect(problems).toEqual([
    expect.objectContaining({
      problem: "was being removed when the removal was interrupted",
      hint: expect.stringContaining("remove it from the config and run `pulumi up`"),
    }),
  ]);
});

describe("a release that the state does not have", () => {
  test("is installed if Helm has no record", () => {
    expect(nextStep([], false, TIMEOUT)).toEqual({ kind: "go" });
  });

  test.each(["pending-install", "uninstalling", "failed"])("is installed again after a killed run: %s", (status) => {
    const records = [record(status)];
    expect(nextStep(records, false, TIMEOUT)).toEqual({ kind: "remove", records });
  });

  test("is taken over if the killed run has succeeded after all", () => {
    const records = [record("superseded", { isOurs: true }), record("deployed")];
    expect(nextStep(records, false, TIMEOUT)).toEqual({ kind: "remove", records });
  });

  test("is refused if somebody else has installed it", () => {
    expect(nextStep([record("deployed")], false, TIMEOUT)).toEqual({ kind: "foreign" });
  });

  test("does not change as long as a run may be at work, which may need the same time again to undo an install", () => {
    const age = 70;
    expect(nextStep([record("pending-install", { age })], false, TIMEOUT)).toMatchObject({ kind: "wait", seconds: 30 });
    expect(nextStep([record("uninstalling", { age })], false, TIMEOUT)).toMatchObject({ kind: "wait", seconds: 130 });
  });
});

/** A Secret of Helm. */
interface Kept {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly labels: { readonly status: string };
  };
  readonly data: { readonly release: string };
}

const NOW = new Date("2026-11-30T03:00:00Z");

function kept(name: string, status: string, description: string, seconds = 1000): Kept {
  const content = gzipSync(JSON.stringify({ info: { status, description } })).toString("base64");
  const creationTimestamp = new Date(NOW.getTime() - 1000 * seconds).toISOString();
  return {
    metadata: { name, uid: `uid-${name}`, resourceVersion: "7", creationTimestamp, labels: { status } },
    data: { release: Buffer.from(content).toString("base64") },
  };
}

/** A double of the API server: the Secrets of one release. */
class SecretsDouble {
  readonly requests: string[] = [];
  /** Runs before each answer. */
  before: (method: string) => void = () => {};
  constructor(public secrets: Kept[]) {}

  async request(method: "GET" | "DELETE", path: string, body?: unknown) {
    this.requests.push(`${method} ${path}`);
    this.before(method);
    const answer = (status: number, content: unknown) => ({ status, at: NOW, body: content });
    if (method === "GET") return answer(200, { items: this.secrets });
    const found = this.secrets.find(({ metadata }) => path.endsWith(`/${metadata.name}`));
    if (!found) return answer(404, {});
    const { uid, resourceVersion } = (body as { preconditions: Record<string, string> }).preconditions;
    if (found.metadata.uid !== uid || found.metadata.resourceVersion !== resourceVersion) return answer(409, {});
    this.secrets = this.secrets.filter((each) => each !== found);
    return answer(200, {});
  }
}

const PLAN = {
  ...{ name: "traefik", namespace: "traefik", values: {} },
  chart: { source: "oci://x", version: "1", digest: "y" },
};

async function free(api: Pick<SecretsDouble, "request">, isInState = false) {
  const said: string[] = [];
  const standing = { releases: isInState ? { traefik: {} } : {} };
  const say = (line: string) => void said.push(line);
  const problems = await freeReleases([PLAN], { api, standing, timeout: TIMEOUT, say });
  return { problems, said };
}

describe("before an up", () => {
  test("nothing is removed if no record blocks the run", async () => {
    const api = new SecretsDouble([kept("v1", "deployed", RELEASE_DESCRIPTION)]);
    expect(await free(api, true)).toEqual({ problems: [], said: [] });
    const selector = "labelSelector=owner%3Dhelm%2Cname%3Dtraefik";
    expect(api.requests).toEqual([`GET /api/v1/namespaces/traefik/secrets?${selector}`]);
  });

  test("only the record of the killed run is removed, and a message says so", async () => {
    const before = kept("v1", "deployed", RELEASE_DESCRIPTION);
    const api = new SecretsDouble([before, kept("v2", "pending-upgrade", "Preparing upgrade")]);
    const { problems, said } = await free(api, true);
    expect([problems, said]).toEqual([[], [expect.stringContaining("traefik: removed")]]);
    expect(api.secrets).toEqual([before]);
  });

  test("an install that has completed in the meantime is taken over, with all its records", async () => {
    const api = new SecretsDouble([kept("v1", "deployed", RELEASE_DESCRIPTION)]);
    expect((await free(api)).problems).toEqual([]);
    expect(api.secrets).toEqual([]);
  });

  test("a release of somebody else does not change, and the error says how to hand it over", async () => {
    const api = new SecretsDouble([kept("v1", "deployed", "Install complete")]);
    const { problems } = await free(api);
    expect(problems).toEqual([
      {
        path: "addons: the release traefik",
        problem: "is in the namespace traefik already, and this stack has not installed it",
        hint: expect.stringContaining("kubectl -n traefik delete secret -l owner=helm,name=traefik"),
      },
    ]);
    expect(api.requests).toHaveLength(1);
  });

  test("the program waits for a run that may be at work, and then uses its result", async () => {
    const api = new SecretsDouble([kept("v1", "pending-install", "Initial install underway", TIMEOUT - 0.2)]);
    api.before = () => {
      if (api.requests.length === 2) api.secrets = [kept("v1", "deployed", RELEASE_DESCRIPTION)];
    };
    const { problems, said } = await free(api);
    expect(problems).toEqual([]);
    expect(said).toEqual([
      expect.stringMatching(
        /^traefik: Helm may still be at work.* up to 1 s\. .*: kubectl -n traefik delete secret v1$/,
      ),
      expect.any(String),
    ]);
    expect(api.secrets).toEqual([]);
  });

  test("a record that changes while it is removed is checked again", async () => {
    const api = new SecretsDouble([kept("v1", "deployed", RELEASE_DESCRIPTION), kept("v2", "pending-upgrade", "x")]);
    let isFirst = true;
    api.before = (method) => {
      if (method !== "DELETE" || !isFirst) return;
      isFirst = false;
      const ended = kept("v2", "deployed", RELEASE_DESCRIPTION);
      api.secrets = [{ ...ended, metadata: { ...ended.metadata, resourceVersion: "8" } }];
    };
    expect((await free(api, true)).problems).toEqual([]);
    expect(api.secrets.map(({ metadata }) => metadata.resourceVersion)).toEqual(["8"]);
  });

  test.each([
    ["does not answer", () => Promise.reject(new Error("connect ECONNREFUSED"))],
    ["refuses", () => Promise.resolve({ status: 403, at: NOW, body: {} })],
    ["answers something else", () => Promise.resolve({ status: 200, at: NOW, body: "x" })],
  ])("an API that %s does not block the run: Helm reports the problem itself", async (_, request) => {
    expect(await free({ request })).toEqual({ problems: [], said: [] });
  });
});
