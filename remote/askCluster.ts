import { X509Certificate } from "node:crypto";

import { z } from "zod";

import type { CertificateSight, ClusterSight, NodeSight, ServerSight } from "../plan/clusterSight";
import { formatTaint } from "../plan/taints";
import { lookAtCluster } from "./clusterLook";
import type { ShellTarget } from "./sshClient";

/** Kubernetes' own rule for a Node's name: an RFC 1123 subdomain. */
const NODE_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const VERSION = /^v[0-9]+[.][0-9]+[.][0-9]+[A-Za-z0-9.+-]{0,32}$/;
const IPV4 = /^[0-9]{1,3}(?:[.][0-9]{1,3}){3}$/;
const MEMBER = "etcd.k3s.cattle.io/node-name";
const MEMBER_ROLE = "node-role.kubernetes.io/etcd";

const texts = z.record(z.string(), z.string());
const taint = z.looseObject({
  key: z.string(),
  value: z.string().optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
});
const spec = z.looseObject({
  unschedulable: z.boolean().optional(),
  taints: z.array(taint).default([]),
});
const conditions = z.array(z.looseObject({ type: z.string(), status: z.string() }));
const addresses = z.array(z.looseObject({ type: z.string(), address: z.string() }));
const nodeInfo = z.looseObject({ kubeletVersion: z.string() });

/**
 * Asks for the state of a cluster. The script runs on the Proxmox host and changes nothing in the cluster.
 * @param clusterId the anchor's random id
 * @param run what the host must know about an `up` (the argument RUN); absent outside of an `up`
 * @throws ConnectionError if the host cannot be reached; Error with the cause and the next step if the script failed
 */
export async function askCluster(
  target: ShellTarget,
  cluster: string,
  clusterId: string,
  run = "",
): Promise<ClusterSight> {
  const answer = await lookAtCluster(target, {
    ...{ task: "status", cluster, clusterId, boundSeconds: 120 },
    title: "what the cluster says of itself",
    args: { RUN: run },
  });
  return parseCluster(answer);
}

/**
 * Reads the answer of `scripts/host/status.sh`.
 * @throws Error if a line does not have its form; the text is not shown, because a node may have written it
 */
export function parseCluster(text: string): ClusterSight {
  const lines = text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t"));
  const of = <T>(kind: string, read: (words: readonly string[]) => T): T[] =>
    lines.filter(([first]) => first === kind).map(([, ...words]) => readLine(kind, words, read));
  const nodes = of("node", nodeOf);
  return {
    servers: of("server", serverOf),
    withEtcd: of("member", ([name = ""]) => nameOf(name)),
    certificates: of("certificate", certificateOf),
    k3s: of("k3s", k3sOf),
    oldFirewall: of("firewall", ([name = ""]) => nameOf(name)),
    nodes: of("through", () => true).length > 0 ? nodes : undefined,
    leaving: of("leaving", ([name = ""]) => nameOf(name)),
  };
}

function readLine<T>(kind: string, words: readonly string[], read: (words: readonly string[]) => T): T {
  try {
    return read(words);
  } catch {
    throw new Error(`the Proxmox host answered with a line that is no ${kind}`);
  }
}

function nameOf(text: string): string {
  if (!NODE_NAME.test(text)) throw new Error("no name");
  return text;
}

function serverOf([vmId = "", name = "", api = ""]: readonly string[]): ServerSight {
  if (!/^[0-9]+$/.test(vmId) || !/^(?:answers|silent)$/.test(api)) throw new Error("no server");
  return { vmId: Number(vmId), name: nameOf(name), answers: api === "answers" };
}

function certificateOf([name = "", use = "", base64 = ""]: readonly string[]): CertificateSight {
  if (use !== "admin" && use !== "serving") throw new Error("no certificate");
  return { server: nameOf(name), use, ends: endOf(Buffer.from(base64, "base64")) };
}

function k3sOf([name = "", state]: readonly string[]): ClusterSight["k3s"][number] {
  if (state !== "runs" && state !== "stopped") throw new Error("no K3s");
  return { node: nameOf(name), runs: state === "runs" };
}

/** The end of a certificate in PEM or DER; undefined if it is not a certificate. */
export function endOf(certificate: Buffer): Date | undefined {
  try {
    return new Date(new X509Certificate(certificate).validTo);
  } catch {
    return undefined;
  }
}

function nodeOf([name = "", ...json]: readonly string[]): NodeSight {
  const values = json.map((text) => (text === "" ? undefined : (JSON.parse(text) as unknown)));
  const labels = texts.parse(values[0] ?? {});
  const annotations = texts.parse(values[1] ?? {});
  const { unschedulable, taints } = spec.parse(values[2] ?? {});
  const { kubeletVersion } = nodeInfo.parse(values[3] ?? { kubeletVersion: "" });
  const internal = addresses.parse(values[4] ?? []).filter(({ type }) => type === "InternalIP");
  const ready = conditions.parse(values[5] ?? []).filter(({ type }) => type === "Ready");
  return {
    name: nameOf(name),
    isReady: ready.length > 0 && ready.every(({ status }) => status === "True"),
    version: VERSION.test(kubeletVersion) ? kubeletVersion : undefined,
    isCordoned: unschedulable === true,
    labels,
    taints: taints.map(({ key, value, effect }) => formatTaint({ key, effect, ...(value ? { value } : {}) })),
    addresses: internal.map(({ address }) => address).filter((address) => IPV4.test(address)),
    isMember: MEMBER_ROLE in labels && MEMBER in annotations,
  };
}
