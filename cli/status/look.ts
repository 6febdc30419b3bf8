import { parse } from "yaml";
import { z } from "zod";

import { ownCommand } from "../../config/ownCommand";
import { readCredentials } from "../../credentials/read";
import { loadPlan } from "../../plan/load";
import type { ClusterPlan } from "../../plan/model";
import { clusterIdOf } from "../../plan/mark";
import { readAdvice } from "../../remote/advice";
import { askAddons } from "../../remote/askAddons";
import { askCluster, endOf } from "../../remote/askCluster";
import type { ShellTarget } from "../../remote/sshClient";
import { openApi, type ProxmoxApi } from "../proxmoxApi";
import { pulumi } from "../pulumi";
import { ClusterHost } from "../recover/guests";
import { lookTarget, readStack } from "../stack";
import { seenOf } from "./difference";
import type { ListedGuest, Look, Sight, StorageSight } from "./sight";

const DOCTOR = `${ownCommand("doctor")} finds the cause`;

/**
 * Looks at the stack's state, at Proxmox VE and at the cluster, all at the same time, and changes nothing. If one of them fails,
 * the result says why, and the other checks still run.
 * @param stackName the selected stack by default
 * @throws Error if the stack or its config cannot be read
 */
export async function look(stackName?: string): Promise<{ readonly plan: ClusterPlan; readonly sight: Sight }> {
  const at = new Date();
  const [stack, kubeconfig] = await Promise.all([readStack(stackName), lookAtKubeconfig(stackName)]);
  const plan = loadPlan(stack.cluster);
  const record = stack.state.record();
  const mark = stack.state.mark(plan.name);
  const byHost = async <T>(ask: (target: ShellTarget, mark: string) => Promise<T>): Promise<Look<T>> => {
    if (mark === undefined) return { why: "the stack has no cluster yet", remedy: "pulumi up" };
    return attempt(() => ask(lookTarget(stack, plan), mark));
  };
  const { apiToken } = readCredentials(stack.config, plan.ssh.authorizedKeys).values;
  const api = openApi(plan.proxmox, apiToken);
  const byApi = <T>(ask: () => Promise<T>): Promise<Look<T>> =>
    attempt(() => (apiToken === undefined ? Promise.reject(new Error("there is no usable API token")) : ask()));
  try {
    const [guests, cluster, addons, listed, storages] = await Promise.all([
      byHost((target, itsMark) => new ClusterHost(target, plan.name, itsMark).guests()),
      byHost((target, itsMark) => askCluster(target, plan.name, clusterIdOf(itsMark))),
      byHost((target, itsMark) => askAddons(target, plan, clusterIdOf(itsMark))),
      byApi(() => listGuests(api)),
      byApi(() => readStorages(api, plan)),
    ]);
    const marked = "seen" in guests ? { seen: guests.seen.ours } : guests;
    const ofAnotherState = seenOf(guests)?.ofAnotherState ?? [];
    return {
      plan,
      sight: { at, state: stack.state, record, marked, ofAnotherState, listed, storages, cluster, addons, kubeconfig },
    };
  } finally {
    api.close();
  }
}

/** The result, or why there is none and what to do. */
export async function attempt<T>(ask: () => Promise<T>): Promise<Look<T>> {
  try {
    return { seen: await ask() };
  } catch (error) {
    const { message } = error as Error;
    const { cause = message.split("\n")[0]!, next = DOCTOR } = readAdvice(message);
    return { why: cause, remedy: next };
  }
}

const guestList = z.array(
  z.looseObject({ vmid: z.number(), name: z.string().default(""), status: z.string().default("") }),
);

async function listGuests({ get }: ProxmoxApi): Promise<ListedGuest[]> {
  const data = dataOf(await get("/cluster/resources?type=vm"));
  return guestList.parse(data).map(({ vmid: vmId, name, status }) => ({ vmId, name, isRunning: status === "running" }));
}

const storage = z.looseObject({
  active: z.union([z.number(), z.boolean()]).default(0),
  total: z.number().default(0),
  avail: z.number().default(0),
});

/** The storages of the disks of the plan's guests. */
async function readStorages({ get }: ProxmoxApi, plan: ClusterPlan): Promise<StorageSight[]> {
  const names = [...new Set(plan.nodes.map((node) => node.storage))];
  return Promise.all(
    names.map(async (name) => {
      const answer = await get(`/nodes/${plan.proxmox.node}/storage/${name}/status`);
      // Proxmox VE's answer for a missing storage, which is a difference.
      const isGone = answer.status === 400 || answer.status === 500;
      const { active, total, avail } = storage.parse(isGone ? {} : dataOf(answer));
      return { name, isActive: Boolean(active), totalBytes: total, freeBytes: avail };
    }),
  );
}

function dataOf({ status, reason, data }: Awaited<ReturnType<ProxmoxApi["get"]>>): unknown {
  if (status !== 200) throw new Error(`the API of Proxmox VE refuses: ${status} ${reason}`);
  return data;
}

const kubeconfigForm = z.looseObject({
  users: z.array(z.looseObject({ user: z.looseObject({ "client-certificate-data": z.string() }) })).min(1),
});

/** Shows nothing of the kubeconfig except the end of its certificate. */
async function lookAtKubeconfig(stackName: string | undefined): Promise<Sight["kubeconfig"]> {
  const stack = stackName === undefined ? [] : ["--stack", stackName];
  try {
    const text = await pulumi(["stack", "output", "kubeconfig", "--show-secrets", ...stack]);
    const certificate = kubeconfigForm.parse(parse(text)).users[0]!.user["client-certificate-data"];
    const ends = endOf(Buffer.from(certificate, "base64"));
    if (ends) return { seen: { ends } };
  } catch {
    // Pulumi's own message may contain a part of the secret.
  }
  return { why: "the stack has no readable kubeconfig", remedy: "pulumi up" };
}
