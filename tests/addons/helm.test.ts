import { gunzipSync, gzipSync } from "node:zlib";

import type { PushedChart } from "../../lab/registry/charts";
import { AddonsLab } from "../support/addonsLab";
import { pushVariant } from "../support/chartVariant";
import { eventually, finish, Lab } from "../support/lab";

/*
 * Runs of Helm that are interrupted, and a cluster that is down or gone: what the next `up` or `destroy` does. With the real engine, the
 * real provider with Helm inside, and a cluster of one server. The chart is a copy of the lab's Traefik chart with a pod that starts
 * slowly, so that Helm waits. The tests build on each other; the first failure is the one to read.
 */

const lab = new Lab("helm");
const addons = new AddonsLab(lab);
/** Helm's timeout: longer than the slow pod needs. */
const TIMEOUT = 90;
let chart: PushedChart;

beforeAll(async () => {
  await addons.raise((cluster) => {
    delete cluster.pools.worker;
  });
  chart = await pushVariant(addons.registry, "traefik", "slow", { "slow.yaml": SLOW });
  addons.edit((config) => {
    config.timeout = `${TIMEOUT}s`;
    config.ingress = { traefik: "release", chart };
  });
  await lab.pulumiOk("up", "--yes", "--skip-preview");
}, 60 * 60_000);
afterAll(async () => {
  addons.endProviders();
  await lab.down();
}, 120_000);

jest.setTimeout(300_000);

const SAID_REMOVED = "traefik: removed Helm's record of a run that was killed";
const SAID_WAITS = "traefik: Helm may still be at work";

const setPort = (http: number): void => addons.edit((config) => (config.ingress.nodePorts = { http }));

/** Helm's status of each revision. */
async function revisions(): Promise<string[]> {
  const labels = await lab.kubectl(
    "-n",
    "traefik",
    "get",
    "secrets",
    ...RECORDS,
    "-o",
    "jsonpath={.items[*].metadata.labels.status}",
  );
  return labels.split(" ").filter(Boolean);
}
const RECORDS = ["-l", "owner=helm,name=traefik", "--sort-by=.metadata.creationTimestamp"];

const nodePort = (): Promise<string> =>
  lab.kubectl("-n", "traefik", "get", "service", "traefik", "-o", "jsonpath={.spec.ports[0].nodePort}");
const uidOf = (...what: string[]): Promise<string> => lab.kubectl("-n", "traefik", "get", ...what, "-o", UID);

/** An `up` that succeeds; returns what the program's own check of Helm printed. */
async function upSaying(): Promise<{ changes: Record<string, readonly string[]>; said: string }> {
  const from = lab.transcript.length;
  const changes = await addons.result("up");
  return { changes, said: lab.transcript.slice(from).join("\n") };
}

/** After an install that was killed: the next `up` waits for it, removes its record, and creates nothing again. */
async function expectInstallTakenUp(): Promise<void> {
  const before = await uidOf("daemonset", "traefik");
  await addons.pulumi("cancel", "--yes");
  const { changes, said } = await upSaying();
  expect(changes).toEqual({ traefik: ["create"] });
  expect(said).toContain(SAID_WAITS);
  expect(said).toContain(SAID_REMOVED);
  expect(await uidOf("daemonset", "traefik")).toBe(before);
  expect(await revisions()).toEqual(["deployed"]);
}

/** Restarts the slow pod, so that the next run of Helm waits for it. */
const startSlowAnew = () => lab.kubectl("-n", "traefik", "delete", "pod", "-l", "app=slow", "--wait=false");

describe("an install that is killed, with the provider", () => {
  it("is finished by the next up, which does not create existing objects again", async () => {
    await addons.killedHelm("traefik", "pending-install");
    expect(await revisions()).toEqual(["pending-install"]);
    await expectInstallTakenUp();
  });

  it("leaves a warning of the engine, which the documented command removes; the next up changes nothing", async () => {
    const warning = "pending operations from previous deployment";
    const from = lab.transcript.length;
    expect(await addons.result("up")).toEqual({});
    expect(lab.transcript.slice(from).join("\n")).toContain(warning);
    const { code } = await addons.pulumi("refresh", "--clear-pending-creates", "--yes");
    expect(code).toBe(0);
    const { changes, said } = await upSaying();
    expect(changes).toEqual({});
    expect(said).not.toContain(warning);
  });
});

describe("an upgrade that is killed, with the provider", () => {
  it("is finished by the next up, which also has another change", async () => {
    await startSlowAnew();
    setPort(30_081);
    await addons.killedHelm("traefik", "pending-upgrade");
    expect(await revisions()).toEqual(["deployed", "pending-upgrade"]);
    await addons.pulumi("cancel", "--yes");
    setPort(30_082);
    const { changes, said } = await upSaying();
    expect(changes).toEqual({ traefik: ["update"] });
    expect(said).toContain("it no longer runs: kubectl -n traefik delete secret sh.helm.release.v1.traefik.v2");
    expect(said).toContain(SAID_REMOVED);
    expect(await nodePort()).toBe("30082");
    expect(await revisions()).toEqual(["superseded", "deployed"]);
    expect(await addons.result("up")).toEqual({});
  });
});

describe("an up that is killed, while its provider still runs", () => {
  it("is waited for in an upgrade, and its result does not stop the next up", async () => {
    await startSlowAnew();
    setPort(30_083);
    await addons.killedHelm("traefik", "pending-upgrade", { providerLives: true });
    await addons.pulumi("cancel", "--yes");
    const { changes, said } = await upSaying();
    // The state does not know what the provider did after its pulumi was killed.
    expect(changes).toEqual({ traefik: ["update"] });
    expect(said).toContain(SAID_WAITS);
    expect(said).not.toContain(SAID_REMOVED);
    expect(await revisions()).toEqual(["superseded", "superseded", "superseded", "deployed"]);
    expect(await addons.result("up")).toEqual({});
  });

  it("is waited for in an install, and the next up adopts what it installed", async () => {
    addons.edit((config) => delete config.ingress);
    await addons.result("up");
    addons.edit((config) => (config.ingress = { traefik: "release", chart }));
    await addons.killedHelm("traefik", "pending-install", { providerLives: true });
    await expectInstallTakenUp();
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a removal that is killed", () => {
  /** Begins a removal, and kills it while Helm waits for an object that is not deleted yet. */
  async function killRemoval(options: { providerLives?: boolean } = {}): Promise<void> {
    await hold(["example.org/held"]);
    addons.edit((config) => delete config.ingress);
    await addons.killedHelm("traefik", "uninstalling", options);
    await addons.pulumi("cancel", "--yes");
  }
  const hold = (finalizers: string[] | null) =>
    lab.kubectl("patch", "clusterrole", "slow", "--type=merge", "-p", JSON.stringify({ metadata: { finalizers } }));
  const installAgain = async () => {
    expect(await lab.kubectl("get", "namespace,clusterrole", "-o", "name")).not.toMatch(/\/(traefik|slow)$/m);
    addons.edit((config) => (config.ingress = { traefik: "release", chart }));
    expect(await addons.result("up")).toEqual({ traefik: ["create", "create"] });
  };

  it("must be finished before the release is installed again, and the next up without it does so", async () => {
    await killRemoval();
    addons.edit((config) => (config.ingress = { traefik: "release", chart }));
    expect(await addons.failure("up")).toContain(
      "the release traefik: was being removed when the removal was interrupted",
    );
    addons.edit((config) => delete config.ingress);
    await hold(null);
    expect(await addons.result("up")).toEqual({ traefik: ["delete", "delete"] });
    await installAgain();
  });

  it("is known after a refresh, if the provider still ran and finished it", async () => {
    await killRemoval({ providerLives: true });
    await hold(null);
    await eventually(60, async () => (await revisions()).length === 0);
    expect(await addons.failure("up")).toContain("release: not found");
    expect(await addons.pulumi("refresh", "--yes")).toMatchObject({ code: 0 });
    expect(await addons.result("up")).toEqual({ traefik: ["delete"] });
    await installAgain();
  });
});

describe("a release with the same name that this stack has not installed", () => {
  it("is not touched, and the command in the error lets the stack adopt it", async () => {
    await makeForeign();
    const failure = await addons.failure("up");
    expect(failure).toContain(
      "the release traefik: is in the namespace traefik already, and this stack has not installed it",
    );
    expect(await revisions()).toEqual(["deployed"]);
    const [, command = ""] = /which stops nothing: (kubectl [^)]+)\)/.exec(failure) ?? [];
    const done = await finish("sh", ["-c", command], lab.environment);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining("sh.helm.release.v1.traefik") });
    const before = await uidOf("daemonset", "traefik");
    expect(await addons.result("up")).toEqual({ traefik: ["create"] });
    expect(await uidOf("daemonset", "traefik")).toBe(before);
  });
});

describe("a cluster that does not answer", () => {
  it("does not count as deleted: destroy and refresh stop, and nothing leaves the state", async () => {
    const before = [...addons.state()!.made].sort();
    expect(before).toContain("traefik");
    await lab.host("pct exec 100 -- systemctl stop k3s");
    try {
      expect(await addons.failure("destroy")).toContain("unreachable");
      const refresh = await addons.pulumi("refresh", "--yes");
      expect(refresh.code).not.toBe(0);
      expect([...addons.state()!.made].sort()).toEqual(before);
      // An up without a change needs no answer.
      expect(await addons.result("up")).toEqual({});
    } finally {
      await lab.host("pct exec 100 -- systemctl start k3s");
    }
    await eventually(120, async () => (await lab.kubectl("get", "--raw", "/readyz")) === "ok");
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a cluster that was wrongly removed from the state", () => {
  it("is adopted by the next up, with everything in it", async () => {
    const before = [await uidOf("daemonset", "traefik"), await lab.kubectl("get", "namespace", "apps", "-o", UID)];
    const made = addons.state()!.made;
    await lab.host("pct exec 100 -- systemctl stop k3s");
    try {
      await forget();
    } finally {
      await lab.host("pct exec 100 -- systemctl start k3s");
    }
    await eventually(120, async () => (await lab.kubectl("get", "--raw", "/readyz")) === "ok");
    const { changes, said } = await upSaying();
    expect(Object.values(changes).flat()).toEqual(
      Object.values(changes)
        .flat()
        .map(() => "create"),
    );
    expect(said).toContain(SAID_REMOVED);
    expect([...addons.state()!.made].sort()).toEqual([...made].sort());
    expect([await uidOf("daemonset", "traefik"), await lab.kubectl("get", "namespace", "apps", "-o", UID)]).toEqual(
      before,
    );
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a cluster that is gone", () => {
  it("leaves the state by the documented command, with releases and protected objects", async () => {
    const urn = addons.urn("apps");
    await addons.pulumi("state", "protect", urn, "--yes");
    await lab.pulumiOk("destroy", "--yes", "--skip-preview");
    expect(await addons.failure("destroy")).not.toBe("");
    expect(addons.state()!.made).toContain("traefik");
    await forget();
  }, 900_000);
});

const UID = "jsonpath={.metadata.uid}";

/** The command of docs/addons.md for a cluster that is gone. */
async function forget(): Promise<void> {
  const command = ["PULUMI_K8S_DELETE_UNREACHABLE=true", "pulumi", "destroy", "--refresh", "--yes", "-C", "addons"];
  const { code, stdout, stderr } = await finish("env", command, lab.environment);
  expect([code, code === 0 ? "" : `${stdout}${stderr}`]).toEqual([0, ""]);
  expect(addons.state()!.made).toEqual([]);
}

/** A Deployment that is ready after 45 s, and an object without a namespace. */
const SLOW = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: slow, namespace: "{{ .Release.Namespace }}" }
spec:
  selector: { matchLabels: { app: slow } }
  template:
    metadata: { labels: { app: slow } }
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 5
      tolerations: [{ operator: Exists }]
      containers:
        - name: slow
          image: docker.io/library/lab-test:1
          readinessProbe: { httpGet: { path: /, port: 8080 }, initialDelaySeconds: 45, periodSeconds: 5 }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: slow }
rules: []
`;

/**
 * Makes the release look as if a person had installed it with Helm's own command: it is not in the state, and Helm's record has the
 * description that this command writes.
 */
async function makeForeign(): Promise<void> {
  const forgotten = await addons.pulumi("state", "delete", addons.urn("traefik", "Release"), "--yes");
  expect(forgotten).toMatchObject({ code: 0 });
  interface Secret {
    readonly metadata: { readonly name: string };
    readonly data: { readonly release: string };
  }
  const { items } = await lab.kubectlJson<{ items: Secret[] }>("-n", "traefik", "get", "secrets", ...RECORDS);
  for (const { metadata, data } of items) {
    const packed = Buffer.from(Buffer.from(data.release, "base64").toString(), "base64");
    const release = JSON.parse(gunzipSync(packed).toString()) as { info: { description: string } };
    expect(release.info.description).toBe("applied by proxmox-k3s-addons");
    release.info.description = "Install complete";
    const again = Buffer.from(gzipSync(JSON.stringify(release)).toString("base64")).toString("base64");
    const patch = JSON.stringify({ data: { release: again } });
    await lab.kubectl("-n", "traefik", "patch", "secret", metadata.name, "-p", patch);
  }
}
