import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";

import {
  type LonghornFaults,
  longhornNodes,
  longhornReplicas,
  longhornVolumes,
  type LonghornWorld,
  type Named,
  NAMESPACE,
  stepLonghorn,
} from "./longhornController";
import { type KubernetesNode, tendNodes } from "./longhornNodes";

/*
 * A double of Longhorn's controllers on a real API server: the rules of longhornController.ts and longhornNodes.ts, on the objects in
 * the API server. It runs in the test's process. It uses `kubectl proxy` on a socket that only root can open.
 */

const KINDS = ["settings", "nodes", "volumes", "replicas"];
const GROUP = `/apis/longhorn.io/v1beta2/namespaces/${NAMESPACE}`;

/** One look at the cluster. It reads Kubernetes' Nodes first: later, a Node could be cordoned after its replicas were seen. */
export interface LonghornLook {
  /** Kubernetes' Nodes that take pods. */
  readonly takePods: readonly string[];
  /** Kubernetes' Nodes that are cordoned. */
  readonly cordoned: readonly string[];
  /** Longhorn's Nodes, and those of them that are being evicted. */
  readonly known: readonly string[];
  readonly emptied: readonly string[];
  /** The node of each replica that did not fail. */
  readonly places: readonly string[];
  /** Volumes that are not healthy. */
  readonly unwell: readonly string[];
}

export class LonghornOnCluster {
  faults: LonghornFaults = {};
  /** All looks since the last {@link forget}. */
  readonly looks: LonghornLook[] = [];
  private readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "longhorn-double-"));
  private proxy: ChildProcess | undefined;
  private running: Promise<void> | undefined;
  private isEnding = false;
  private failure: unknown;
  /** The last change; changes run one after another. */
  private turn: Promise<unknown> = Promise.resolve();

  /** @param gib size of each disk */
  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly gib: number,
  ) {}

  /** Opens the connection to the API server; {@link close} ends it. */
  async open(): Promise<void> {
    fs.chmodSync(this.folder, 0o700);
    const socket = path.join(this.folder, "api");
    this.proxy = spawn("kubectl", ["proxy", `--unix-socket=${socket}`], { env: this.env, stdio: "ignore" });
    for (let tries = 0; !fs.existsSync(socket); tries++) {
      if (tries > 300) throw new Error("kubectl proxy does not listen");
      await sleep(100);
    }
  }

  async close(): Promise<void> {
    await this.stop().finally(() => this.proxy?.kill());
    fs.rmSync(this.folder, { recursive: true });
  }

  /** Starts the controllers. */
  start(): void {
    this.isEnding = false;
    this.running ??= this.run();
  }

  /** Stops the controllers. @throws Error if they failed while they ran */
  async stop(): Promise<void> {
    this.isEnding = true;
    await this.running;
    this.running = undefined;
    if (this.failure !== undefined) throw new Error("the controllers of Longhorn failed", { cause: this.failure });
  }

  forget(): void {
    this.looks.length = 0;
  }

  /** Changes Longhorn's objects, as its controllers or a person would. */
  change<T>(work: (world: LonghornWorld) => T): Promise<T> {
    const changed = this.turn.then(async () => {
      const { world } = await this.read();
      const before = structuredClone(world.objects);
      const result = work(world);
      await this.write(before, world.objects);
      return result;
    });
    this.turn = changed.catch(() => {});
    return changed;
  }

  /** The current Longhorn objects. */
  async world(): Promise<LonghornWorld> {
    return (await this.read()).world;
  }

  private async run(): Promise<void> {
    for (let steps = 0; !this.isEnding; steps++) {
      try {
        await this.step(steps % 2 === 0);
      } catch (error) {
        // A lab's only server may not answer for a moment. An error that lasts is thrown at the end.
        this.failure = error;
      }
      await sleep(500);
    }
  }

  private step(isDue: boolean): Promise<void> {
    const done = this.turn.then(async () => {
      const { world, kubernetes } = await this.read();
      this.looks.push(lookAt(world, kubernetes));
      if (isDue) {
        const before = structuredClone(world.objects);
        tendNodes(world, kubernetes, this.gib);
        stepLonghorn(world);
        await this.write(before, world.objects);
      }
      this.failure = undefined;
    });
    this.turn = done.catch(() => {});
    return done;
  }

  private async read(): Promise<{ world: LonghornWorld; kubernetes: KubernetesNode[] }> {
    const kubernetes = await this.list<KubernetesNode>("/api/v1/nodes");
    const objects = new Map<string, object[]>();
    for (const kind of KINDS) objects.set(`${kind}.longhorn.io`, await this.list(`${GROUP}/${kind}`));
    const nodes = new Map(kubernetes.map((node) => [node.metadata.name, node]));
    return { kubernetes, world: { nodes, objects, longhorn: this.faults } };
  }

  private async list<T>(at: string): Promise<T[]> {
    const { status, body } = await this.ask("GET", at);
    if (status !== 200) throw new Error(`GET ${at}: ${status} ${body}`);
    return (JSON.parse(body) as { items: T[] }).items;
  }

  private async write(before: ReadonlyMap<string, object[]>, after: ReadonlyMap<string, object[]>): Promise<void> {
    for (const kind of KINDS) {
      const old = byName(before.get(`${kind}.longhorn.io`));
      const now = byName(after.get(`${kind}.longhorn.io`));
      for (const [name, object] of now) await this.put(kind, name, old.get(name), object);
      for (const name of old.keys()) if (!now.has(name)) await this.send("DELETE", `${GROUP}/${kind}/${name}`);
    }
  }

  /** Writes only what has changed: a script may have changed the rest meanwhile. The API takes the status in a separate request. */
  private async put(kind: string, name: string, before: Stored | undefined, after: Stored): Promise<void> {
    const at = `${GROUP}/${kind}/${name}`;
    if (before === undefined) await this.send("POST", `${GROUP}/${kind}`, after);
    const { status: oldStatus, ...old } = before ?? { ...after, status: undefined };
    const { status, ...rest } = after;
    if (!isDeepStrictEqual(old, rest)) await this.send("PATCH", at, mergePatch(old, rest));
    if (status !== undefined && !isDeepStrictEqual(oldStatus, status))
      await this.send("PATCH", `${at}/status`, { status: mergePatch(oldStatus ?? {}, status) });
  }

  /** @throws Error if the API refuses it; no error if the object no longer exists */
  private async send(method: string, at: string, body?: unknown): Promise<void> {
    const { status, body: answer } = await this.ask(method, at, body);
    if (status >= 300 && status !== 404) throw new Error(`${method} ${at}: ${status} ${answer}`);
  }

  /** For some seconds the API server answers 429 for a kind that is new. */
  private async ask(method: string, at: string, body?: unknown): Promise<Answer> {
    for (let tries = 0; ; tries++) {
      const answer = await this.askOnce(method, at, body);
      if (answer.status !== 429 || tries === 30) return answer;
      await sleep(1000);
    }
  }

  private askOnce(method: string, at: string, body?: unknown): Promise<Answer> {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const headers = sent === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(sent) };
    const options = { socketPath: path.join(this.folder, "api"), path: at, method, headers, timeout: 10_000 };
    return new Promise((resolve, reject) => {
      const request = http.request(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("error", reject).on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
      });
      request.on("timeout", () => request.destroy(new Error(`${method} ${at}: no answer`)));
      request.on("error", reject).end(sent);
    });
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
}
type Stored = Named & { readonly status?: object };

const byName = (objects: readonly object[] = []): Map<string, Stored> =>
  new Map((objects as Stored[]).map((each) => [each.metadata.name, each]));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function lookAt(world: LonghornWorld, kubernetes: readonly KubernetesNode[]): LonghornLook {
  const names = (isCordoned: boolean): string[] =>
    kubernetes.filter(({ spec }) => (spec.unschedulable === true) === isCordoned).map(({ metadata }) => metadata.name);
  const known = longhornNodes(world);
  return {
    takePods: names(false),
    cordoned: names(true),
    known: known.map(({ metadata }) => metadata.name),
    emptied: known.filter(({ spec }) => spec.evictionRequested).map(({ metadata }) => metadata.name),
    places: longhornReplicas(world).flatMap(({ spec }) => (spec.failedAt === "" ? [spec.nodeID] : [])),
    unwell: longhornVolumes(world).flatMap(({ metadata, status }) =>
      status.robustness === "healthy" ? [] : [metadata.name],
    ),
  };
}

/** The merge patch (RFC 7386) from the first object to the second. */
function mergePatch(before: object, after: object): object {
  const [old, now] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const patch: Record<string, unknown> = {};
  for (const key of old.keys()) if (!now.has(key)) patch[key] = null;
  for (const [key, value] of now) {
    const was: unknown = old.get(key);
    if (!isDeepStrictEqual(was, value)) patch[key] = isRecord(was) && isRecord(value) ? mergePatch(was, value) : value;
  }
  return patch;
}

const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
