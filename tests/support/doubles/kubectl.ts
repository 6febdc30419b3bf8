import type { CommandCall } from "./commands";
import { jsonPath } from "./jsonPath";
import { admitLonghornNode, type LonghornNode, stepLonghorn } from "./longhornController";
import type { SimulatedCluster, SimulatedClusters, SimulatedNode } from "./simulatedCluster";
import type { SimulatedK3s } from "./simulatedDisk";

/** The cluster and the guest for a call of `k3s kubectl`. */
export interface KubectlWorld {
  readonly clusters: SimulatedClusters;
  /** The guest in which it is called. */
  readonly vmid: number;
  /** Start of the node's guest, in milliseconds since the epoch; undefined if it does not run. */
  startedAt(node: string): number | undefined;
}

interface Asked extends KubectlWorld {
  readonly k3s: SimulatedK3s;
  readonly cluster: SimulatedCluster;
  readonly call: CommandCall;
  /** Arguments that are not options. */
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}

const VERBS: Readonly<Record<string, (asked: Asked) => void | Promise<void>>> = {
  get,
  describe: (asked) => asked.call.print(described(needNode(asked), asked)),
  wait: awaitNode,
  label: (asked) => change(asked, ({ labels }) => labels),
  annotate: (asked) => change(asked, ({ annotations }) => annotations),
  taint,
  cordon: (asked) => void (needNode(asked, 0).unschedulable = true),
  uncordon: (asked) => void (needNode(asked, 0).unschedulable = false),
  // There is no pod to move.
  drain: (asked) => void (needNode(asked, 0).unschedulable = true),
  delete: remove,
  create,
  patch,
};

/**
 * A double of `kubectl` with the credentials of a server, over simulated Nodes. Other objects can only be read, except Longhorn's
 * Nodes; no object stops a drain.
 * @throws Error if the real kubectl would fail
 */
export async function kubectl(world: KubectlWorld, call: CommandCall): Promise<number> {
  const [words, options] = parse(call.args.slice(1));
  const cluster = world.clusters.servedBy(world.vmid);
  const k3s = world.clusters.running(world.vmid);
  try {
    // The kubelet's health port, which every node has.
    if (k3s && options["server"] === "http://127.0.0.1:10248") return 0;
    if (!cluster || !k3s) throw new Error("The connection to the server 127.0.0.1:6443 was refused");
    if (options["raw"] !== undefined) {
      call.print(raw(options["raw"], cluster));
      return 0;
    }
    const verb = VERBS[words[0] ?? ""];
    if (!verb) throw new Error(`error: the double of kubectl does not know ${call.args.join(" ")}`);
    await verb({ ...world, k3s, cluster, call, words: words.slice(1), options });
    return 0;
  } catch (error) {
    call.complain(`${(error as Error).message}\n`);
    return 1;
  }
}

/** Options whose value is the next argument, unless it follows `=`. */
const WITH_VALUE = /^(n|namespace|o|output|l|p|selector|f|filename|field-selector|timeout|request-timeout)$/;

function parse(args: readonly string[]): [words: string[], options: Record<string, string>] {
  const words: string[] = [];
  const options: Record<string, string> = {};
  for (let at = 0; at < args.length; at++) {
    const [, name, value] = /^--?([a-zA-Z][\w-]*)(?:=([^]*))?$/.exec(args[at]!) ?? [];
    if (args[at] === "--") return [[...words, ...args.slice(at + 1)], options];
    if (name === undefined) words.push(args[at]!);
    else options[name] = value ?? (WITH_VALUE.test(name) ? (args[++at] ?? "") : "true");
  }
  return [words, options];
}

/** The API server's own paths are healthy; the test sets what a pod answers through the API's proxy. */
function raw(path: string, { proxied }: SimulatedCluster): string {
  if (!path.includes("/proxy")) return "ok";
  const [, answer] = [...(proxied ?? [])].find(([start]) => path.startsWith(start)) ?? [];
  if (answer === undefined) throw new Error("Error from server (ServiceUnavailable): the server is currently unable");
  return answer;
}

function get({ words: [kind = "", ...names], options, ...asked }: Asked): void {
  const { call, cluster } = asked;
  const [name] = names;
  const format = options["o"] ?? options["output"] ?? "";
  const template = /^jsonpath=([^]*)$/.exec(format)?.[1];
  if (!/^(nodes?|no)$/.test(kind)) return getOther(kind, names, format, { ...asked, options });
  if (name !== undefined) {
    const node = cluster.nodes.get(name);
    if (!node && options["ignore-not-found"] === undefined) throw notFound(name);
    if (!node) return;
    if (format === "name") call.print(`node/${name}\n`);
    else if (template !== undefined) call.print(jsonPath(template, objectOf(name, node, asked)));
    else throw new Error(`error: the double of kubectl does not print -o ${format}`);
    return;
  }
  const selector = options["l"] ?? options["selector"] ?? "";
  const nodes = [...cluster.nodes].filter(([, { labels }]) => isSelected(labels, selector));
  if (format === "name") call.print(nodes.map(([each]) => `node/${each}\n`).join(""));
  else if (template !== undefined)
    call.print(jsonPath(template, { items: nodes.map(([each, node]) => objectOf(each, node, asked)) }));
  else throw new Error(`error: the double of kubectl does not print -o ${format}`);
}

interface Thing {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
}

/** Objects of other kinds, separated by commas: by name, by a field selector for the name, by label, or all in a namespace. */
function getOther(kind: string, names: readonly string[], format: string, asked: Omit<Asked, "words">): void {
  const { call, cluster, options } = asked;
  if (kind === "replicas.longhorn.io" || kind === "nodes.longhorn.io") stepLonghorn(cluster);
  const template = /^jsonpath=([^]*)$/.exec(format)?.[1];
  const field = /^metadata\.name=(.*)$/.exec(options["field-selector"] ?? "")?.[1];
  const selector = options["l"] ?? options["selector"] ?? "";
  const items = kind
    .split(",")
    .flatMap((each) => objectsOf(each, cluster))
    .filter(({ metadata }) => options["n"] === undefined || (metadata.namespace ?? options["n"]) === options["n"])
    .filter(({ metadata }) => field === undefined || metadata.name === field)
    .filter(({ metadata }) => isSelected(metadata.labels ?? {}, selector))
    .filter(({ metadata }) => names.length === 0 || names.includes(metadata.name));
  const missing = names.filter((name) => !items.some(({ metadata }) => metadata.name === name));
  if (missing.length > 0 && options["ignore-not-found"] === undefined)
    throw new Error(`Error from server (NotFound): ${kind} "${missing[0]}" not found`);
  if (names.length > 0 && items.length === 0) return;
  if (format === "name") call.print(items.map(({ metadata }) => `${kind}/${metadata.name}\n`).join(""));
  else if (template !== undefined) call.print(jsonPath(template, names.length === 1 ? items[0] : { items }));
  else call.complain("No resources found\n");
}

/** The API knows a kind that has a group only if there is a CustomResourceDefinition. */
function objectsOf(kind: string, { objects }: SimulatedCluster): Thing[] {
  const known = objects.get(kind);
  if (known === undefined && kind.includes("."))
    throw new Error(`error: the server doesn't have a resource type "${kind.split(".")[0]}"`);
  return (known ?? []) as Thing[];
}

/** Supports only merge patches of Longhorn's Nodes. */
function patch({ words: [kind = "", name = ""], options, cluster, call }: Asked): void {
  const all = (cluster.objects.get(kind) ?? []) as LonghornNode[];
  const at = all.findIndex(({ metadata }) => metadata.name === name && metadata.namespace === options["n"]);
  if (kind !== "nodes.longhorn.io" || at < 0)
    throw new Error(`Error from server (NotFound): ${kind} "${name}" not found`);
  if (options["type"] !== "merge")
    throw new Error(`error: the double of kubectl does not know a patch of type ${options["type"]}`);
  const after = merged(structuredClone(all[at]), JSON.parse(options["p"] ?? "")) as LonghornNode;
  admitLonghornNode(all[at]!, after);
  all[at] = after;
  call.print(`node.longhorn.io/${name} patched\n`);
}

/** RFC 7386. */
export function merged(target: unknown, change: unknown): unknown {
  if (typeof change !== "object" || change === null || Array.isArray(change)) return change;
  const result = typeof target === "object" && target !== null ? { ...(target as Record<string, unknown>) } : {};
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

function isSelected(labels: Readonly<Record<string, string>>, selector: string): boolean {
  const [key = "", value] = selector.split("=");
  return selector === "" || (labels[key] !== undefined && (value === undefined || labels[key] === value));
}

/** The real API reports a dead node as Ready for about 40 s; here it is not Ready at once. */
function objectOf(name: string, node: SimulatedNode, { clusters, k3s, startedAt }: Omit<Asked, "words" | "options">) {
  const machine = clusters.machineOf(k3s.caHash, name);
  const isUp = machine !== undefined;
  const address = /^node-ip: *(.*)$/m.exec(machine?.disk.k3s?.config ?? "")?.[1];
  const ready = {
    type: "Ready",
    status: isUp ? "True" : "Unknown",
    lastTransitionTime: new Date(startedAt(name) ?? 0).toISOString(),
  };
  return {
    metadata: { name, labels: node.labels, annotations: node.annotations },
    spec: { unschedulable: node.unschedulable, taints: node.taints },
    status: {
      conditions: [ready],
      nodeInfo: { kubeletVersion: node.version },
      addresses: address === undefined ? [] : [{ type: "InternalIP", address }],
    },
  };
}

/** `wait node NAME --for=condition=Ready`. A node is Ready as soon as its machine runs, so there is no wait. */
function awaitNode(asked: Asked): void {
  needNode(asked);
  const name = asked.words[1]!;
  if (asked.options["for"] !== "condition=Ready") throw new Error("error: the double of kubectl waits only for Ready");
  if (!asked.clusters.machineOf(asked.k3s.caHash, name))
    throw new Error(`error: timed out waiting for the condition on nodes/${name}`);
}

function described(node: SimulatedNode, asked: Asked): string {
  const name = asked.words[1]!;
  const isUp = asked.clusters.machineOf(asked.k3s.caHash, name) !== undefined;
  return `Name: ${name}\nConditions:\n  Ready ${isUp ? "True" : "Unknown"}\nAddresses:\nVersion: ${node.version}\n`;
}

/** `key=value` sets, `key-` removes. */
function change(asked: Asked, of: (node: SimulatedNode) => Record<string, string>): void {
  const values = of(needNode(asked));
  const [, name, ...pairs] = asked.words;
  for (const pair of pairs) {
    const [, key, value] = /^([^=]+)=([^]*)$/.exec(pair) ?? [];
    if (key === undefined) delete values[pair.replace(/-$/, "")];
    else if (values[key] !== undefined && values[key] !== value && asked.options["overwrite"] === undefined)
      throw new Error(`error: '${key}' already has a value (${values[key]}), and --overwrite is false`);
    else values[key] = value!;
  }
  asked.clusters.afterChange(asked.k3s.caHash, name!);
}

/** `key=value:Effect` sets, `key:Effect-` removes. */
function taint(asked: Asked): void {
  const node = needNode(asked);
  for (const text of asked.words.slice(2)) {
    const [, key = "", value, effect = "", gone] = /^([^=:]+)(?:=([^:]*))?:(\w+)(-?)$/.exec(text) ?? [];
    const others = node.taints.filter((each) => each.key !== key || each.effect !== effect);
    if (gone === "-" && others.length === node.taints.length) throw new Error(`error: taint "${text}" not found`);
    node.taints = gone === "-" ? others : [...others, { key, ...(value === undefined ? {} : { value }), effect }];
  }
}

function remove({ words: [kind, name = ""], options, clusters, k3s, cluster }: Asked): void {
  // The secret with the node's password is not simulated. It would be deleted with the Node.
  if (kind !== "node") return;
  if (!cluster.nodes.has(name) && options["ignore-not-found"] === undefined) throw notFound(name);
  if (!clusters.deleteNode(k3s.caHash, name)) throw new Error("error: timed out waiting for the condition");
}

async function create({ call, cluster }: Asked): Promise<void> {
  const { kind, metadata } = JSON.parse(await call.input()) as { kind: string; metadata: { name: string } };
  if (kind !== "Node") throw new Error(`error: the double of kubectl cannot create a ${kind}`);
  cluster.nodes.set(metadata.name, { version: "", unschedulable: false, taints: [], labels: {}, annotations: {} });
}

/** @param at position of the name in the arguments; in most calls the kind is the first */
function needNode({ words, cluster }: Pick<Asked, "words" | "cluster">, at = 1): SimulatedNode {
  const name = words[at] ?? "";
  const node = cluster.nodes.get(name);
  if (!node) throw notFound(name);
  return node;
}

function notFound(name: string): Error {
  return new Error(`Error from server (NotFound): nodes "${name}" not found`);
}
