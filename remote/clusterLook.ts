import { type ClusterStep, clusterStepName } from "../plan/steps";
import { runTask, type ShellTarget, type ShellTask } from "./sshClient";
import type { TaskName } from "./tasks";

/** A task about a whole cluster that changes nothing. */
export interface ClusterLook extends Pick<ShellTask, "title" | "boundSeconds" | "args"> {
  /** The step has the same name. */
  readonly task: TaskName & ClusterStep;
  readonly cluster: string;
  /** The anchor's random id. */
  readonly clusterId: string;
}

/**
 * Looks at a cluster from the Proxmox host.
 * @returns the task's answer
 * @throws ConnectionError if the host cannot be reached; Error with the cause and the next step if the script failed
 */
export function lookAtCluster(target: ShellTarget, { cluster, clusterId, ...look }: ClusterLook): Promise<string> {
  const step = clusterStepName(cluster, look.task);
  return runTask(target, { ...look, action: "look", step, lock: step, inputs: { CLUSTER_ID: clusterId } });
}
