import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";

import { clusterStepName, parseStep } from "../../plan/steps";
import { ANCHOR_TYPE } from "../../plan/urn";
import { acknowledgement } from "../../remote/answer";
import { acceptHooks } from "./hookMonitor";

const SECRET_SIG = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

export interface RecordedResource {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  readonly parent: string;
  /** As sent to the engine: secrets in envelopes, unknown values as the engine's placeholder. */
  readonly inputs: Record<string, unknown>;
  readonly options: {
    readonly protect: boolean;
    readonly deletedWith: string;
    readonly replaceWith: readonly string[];
    readonly dependencies: readonly string[];
    readonly ignoreChanges: readonly string[];
    readonly replaceOnChanges: readonly string[];
    readonly deleteBeforeReplace: boolean;
    readonly additionalSecretOutputs: readonly string[];
    /** Names of the hooks that run before and after a creation or an update. */
    readonly hooks: Readonly<Record<"beforeCreate" | "beforeUpdate" | "afterUpdate", readonly string[]>>;
    /** Names of the hooks that run after a failure. */
    readonly onError: readonly string[];
    readonly customTimeouts: { create: string; update: string; delete: string };
  };
}

export interface Recording {
  readonly resources: readonly RecordedResource[];
  /** The program's exports as it returned them, Outputs included. */
  readonly outputs: Record<string, unknown>;
  readonly logs: readonly { severity: string; message: string }[];
  /** The resource with this name. A component and its child may have the same name: then give the type, too. */
  find(name: string, type?: string): RecordedResource;
}

export interface RecordOptions {
  /** The object under `proxmox-k3s:cluster`; the homelab's by default. */
  readonly cluster?: unknown;
  /** Secret config: `proxmoxApiToken`, `hostPrivateKey`, `nodePrivateKey`. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The same keys as plain config. */
  readonly plain?: Readonly<Record<string, string>>;
  readonly preview?: boolean;
  /** Resources in the state from earlier runs: type and outputs by URN; none by default. */
  readonly state?: Readonly<Record<string, unknown>>;
}

/** The state of a cluster that exists, but has no nodes. */
export const stateOf = (cluster: string): Readonly<Record<string, unknown>> => ({
  [`urn:pulumi:homelab::proxmox-k3s::${ANCHOR_TYPE}::${clusterStepName(cluster, "anchor")}`]: {
    type: ANCHOR_TYPE,
    outputs: {},
  },
});

/** The invoke with which the program asks the engine for the state. */
const READ_STACK = "pulumi:pulumi:readStackResourceOutputs";

/** The `proxmox-k3s:cluster` of a stack file in the repo's root. */
export function stackCluster(file = "Pulumi.homelab.yaml"): Record<string, unknown> {
  const text = fs.readFileSync(path.join(__dirname, "../..", file), "utf8");
  return parse(text).config["proxmox-k3s:cluster"];
}

/**
 * Runs the whole program under Pulumi's test monitor and records what it registers, options included (mocks would show only
 * inputs). The monitor is Pulumi's own double and has none of the engine's behaviour, so no test asserts order or diffs
 * with it.
 */
export async function recordProgram(options: RecordOptions = {}): Promise<Recording> {
  const recorded: RecordedResource[] = [];
  const logs: { severity: string; message: string }[] = [];
  let outputs: Record<string, unknown> = {};
  // This level opens no connection: the Proxmox host is assumed to answer the first question of an `up`.
  jest.doMock("../../remote/gateCheck", () => ({ checkGate: () => Promise.resolve(true) }));
  await jest.isolateModulesAsync(async () => {
    // require, not import(): jest isolates the module registry of require alone.
    const pulumi = require("@pulumi/pulumi") as typeof import("@pulumi/pulumi");
    const preview = options.preview ?? false;
    await pulumi.runtime.setMocks(
      {
        newResource: (args) => ({
          id: preview ? undefined : `${args.name}-id`,
          state: { ...args.inputs, ...computed(args.type, args.name, preview) },
        }),
        call: (args) => (args.token === READ_STACK ? { outputs: options.state ?? {} } : args.inputs),
      },
      "proxmox-k3s",
      "homelab",
      preview,
      "organization",
    );
    const own = (values: Readonly<Record<string, string>> = {}) =>
      Object.entries(values).map(([key, value]) => [`proxmox-k3s:${key}`, value] as const);
    const secrets = own(options.secrets);
    pulumi.runtime.setAllConfig(
      {
        "proxmox-k3s:cluster": JSON.stringify(options.cluster ?? stackCluster()),
        ...Object.fromEntries([...secrets, ...own(options.plain)]),
      },
      secrets.map(([key]) => key),
    );
    acceptHooks(recordResources(pulumi, recorded));
    for (const severity of ["warn", "error", "info", "debug"] as const) {
      jest.spyOn(pulumi.log, severity).mockImplementation((...args: unknown[]) => {
        logs.push({ severity, message: String(args[0]) });
        return Promise.resolve();
      });
    }
    outputs = await runAsStack(pulumi, () => require("../../index") as () => Promise<Record<string, unknown>>);
  });
  return {
    resources: recorded,
    outputs,
    logs,
    find(name, type) {
      const hits = recorded.filter(
        (r) => r.name === name && (type ? r.type === type : !r.type.startsWith("proxmox-k3s:")),
      );
      if (hits.length !== 1) throw new Error(`${hits.length} resources are named ${name} ${type ?? ""}`);
      return hits[0]!;
    },
  };
}

/** Outputs that the providers would compute. In the preview of a new resource there are none. */
function computed(type: string, name: string, preview: boolean): Record<string, unknown> {
  if (preview) return {};
  switch (type) {
    case "random:index/randomId:RandomId":
      return { hex: "0123456789abcdef" };
    case "random:index/randomPassword:RandomPassword":
      return { result: "the-generated-password" };
    case "command:remote:Command":
      return { stdout: `${answerOf(name)}\n${acknowledgement(name, "create")}\n`, stderr: "" };
    case "proxmoxve:index/containerLegacy:ContainerLegacy":
      return { networkInterfaces: [{ name: "eth0", macAddress: "BC:24:11:00:00:01" }] };
    default:
      return {};
  }
}

/** An answer in the form of the step's task. */
function answerOf(step: string): string {
  switch (parseStep(step)?.step) {
    case "kubeconfig":
      return K3S_KUBECONFIG;
    case "host-key":
      return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5";
    case "ca-hash":
      return CA_HASH;
    case "release-sums":
      return `${"5a".repeat(32)} -`;
    case "k3s":
      return "restarted";
    default:
      return "an answer in one line";
  }
}

/** Hash of the cluster's CA, as the read-back returns it. */
export const CA_HASH = "ca".repeat(32);

const K3S_KUBECONFIG = `apiVersion: v1
kind: Config
clusters: [{ name: default, cluster: { server: "https://127.0.0.1:6443", certificate-authority-data: Q0E= } }]
users: [{ name: default, user: { client-key-data: S0VZ } }]
contexts: [{ name: default, context: { cluster: default, user: default } }]
current-context: default
`;

type Request = any; // eslint-disable-line @typescript-eslint/no-explicit-any -- the generated class is not exported with types

/** The parts of Pulumi's SDK that are used here. Each program loads its own copy of the SDK. */
interface Sdk {
  readonly runtime: {
    getMonitor(): unknown;
    runInPulumiStack(program: () => Promise<unknown>): Promise<unknown>;
    disconnect(): Promise<void>;
  };
}

/** Adds every later registration to `recorded`. @returns the test monitor */
export function recordResources({ runtime }: Sdk, recorded: RecordedResource[]): object {
  const monitor = runtime.getMonitor() as {
    registerResource: (request: Request, callback: (error: unknown, answer: { getUrn(): string }) => void) => void;
  };
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) =>
    register(request, (error, answer) => {
      if (answer) recorded.push(describeRequest(request, answer.getUrn()));
      callback(error, answer);
    });
  return monitor;
}

/**
 * Runs a program to its end as the program of the stack, and returns its exports.
 * @param load loads the program and returns it; the program may start while it is loaded
 * @throws Error that the program throws
 */
export async function runAsStack(
  { runtime }: Sdk,
  load: () => () => Promise<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  let outputs: Record<string, unknown> = {};
  // An error that is thrown inside the stack would end the process as an unhandled rejection, so it is kept and thrown later.
  let failure: Error | undefined;
  await runtime.runInPulumiStack(async () => {
    try {
      outputs = await load()();
      return outputs;
    } catch (error) {
      failure = error as Error;
      return {};
    }
  });
  await runtime.disconnect();
  if (failure) throw failure;
  return outputs;
}

/** A registration, in the form that tests read. */
function describeRequest(request: Request, urn: string): RecordedResource {
  const timeouts = request.getCustomtimeouts();
  return {
    type: request.getType(),
    name: request.getName(),
    urn,
    parent: request.getParent(),
    inputs: request.getObject()?.toJavaScript() ?? {},
    options: {
      protect: request.getProtect() ?? false,
      deletedWith: request.getDeletedwith(),
      replaceWith: request.getReplaceWithList?.() ?? [],
      dependencies: request.getDependenciesList(),
      ignoreChanges: request.getIgnorechangesList(),
      replaceOnChanges: request.getReplaceonchangesList(),
      deleteBeforeReplace: request.getDeletebeforereplace(),
      additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
      hooks: {
        beforeCreate: request.getHooks()?.getBeforeCreateList() ?? [],
        beforeUpdate: request.getHooks()?.getBeforeUpdateList() ?? [],
        afterUpdate: request.getHooks()?.getAfterUpdateList() ?? [],
      },
      onError: request.getHooks()?.getOnErrorList() ?? [],
      customTimeouts: {
        create: timeouts?.getCreate() ?? "",
        update: timeouts?.getUpdate() ?? "",
        delete: timeouts?.getDelete() ?? "",
      },
    },
  };
}

export const isSecret = (value: unknown): boolean =>
  typeof value === "object" && value !== null && (value as Record<string, unknown>)[SECRET_SIG] === SECRET;

/** The value inside a secret envelope, or the value itself. */
export const reveal = (value: unknown): unknown => (isSecret(value) ? (value as { value: unknown }).value : value);

/** Every text in a value outside secret envelopes. */
export function plainTexts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (isSecret(value) || typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(plainTexts);
}

/** The engine's placeholder for a value that is not known before an `up`. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Paths of the unknown values in a resource's inputs, including secret ones. */
export function unknownPaths(value: unknown, at = ""): string[] {
  const revealed = reveal(value);
  if (revealed === UNKNOWN) return [at];
  if (typeof revealed !== "object" || revealed === null) return [];
  return Object.entries(revealed).flatMap(([key, inner]) => unknownPaths(inner, at ? `${at}.${key}` : key));
}
