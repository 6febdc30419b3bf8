import * as path from "node:path";

import * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../plan/bounds";
import { isNixos, type NodePlan } from "../plan/model";
import { stepName } from "../plan/steps";
import { binaryName, imagesName } from "../plan/sums";
import type { ClusterContext } from "./ClusterContext";
import { inside, type Machine } from "./machine/Machine";
import { builtByNixos } from "./nixos";
import { RemoteScript, type RemoteScriptArgs } from "../remote/RemoteScript";

/** The sums that a node's files must have. */
export interface ReleaseSums {
  readonly binary: pulumi.Input<string>;
  readonly images: pulumi.Input<string>;
}

/** The folder on a node for the release's files; `scripts/host/push-artifacts.sh` uses it too. */
export const ARTIFACTS_FOLDER = "/var/lib/proxmox-k3s/artifacts";

/** Folder of the release below the base URL; `+` of the version must be escaped in a URL. */
export function releaseUrl(plan: { readonly version: string; readonly k3s: ClusterContext["plan"]["k3s"] }): string {
  const { source } = plan.k3s;
  if ("file" in source) throw new Error("a release from a file has no URL");
  return `${source.baseUrl.replace(/\/+$/, "")}/${encodeURIComponent(plan.version)}`;
}

interface ArtifactsArgs {
  readonly node: NodePlan;
  readonly machine: Machine;
  readonly context: ClusterContext;
  readonly sums: ReleaseSums;
}

/**
 * The release's files on the node. The node downloads them, or the Proxmox host copies them into it, or NixOS builds its system
 * with them. This is a separate step, so that all nodes get their files while the first servers start, and before it is their turn for a new version.
 */
export function artifacts(name: string, args: ArtifactsArgs, parent: pulumi.Resource): RemoteScript {
  const { machine, context } = args;
  return new RemoteScript(
    stepName(name, "artifacts"),
    {
      boundSeconds: STEP_BOUNDS.artifacts,
      ...sourceOf(args),
      triggers: [machine.creation],
    },
    context.scriptOptions(inside(machine, parent)),
  );
}

/** The arguments that depend on where the files come from. */
type Source = Pick<RemoteScriptArgs, "task" | "title" | "connection" | "lock" | "args" | "inputs"> &
  Partial<Pick<RemoteScriptArgs, "boundSeconds">>;

function sourceOf(args: ArtifactsArgs): Source {
  const { node, machine, context } = args;
  if (isNixos(node)) return builtByNixos(node, machine, context);
  const { source } = context.plan.k3s;
  return "file" in source ? fromHost(args, source.file) : byDownload(args);
}

function byDownload({ node, machine, context: { plan }, sums }: ArtifactsArgs): Source {
  return {
    task: "fetch-artifacts",
    title: `get the files of K3s ${plan.version} on ${node.name}`,
    connection: machine.connection,
    lock: "artifacts",
    args: {
      NAME: node.name,
      ARCH: plan.arch,
      VERSION: plan.version,
      SOURCE: releaseUrl(plan),
      TO: ARTIFACTS_FOLDER,
      IMAGES: plan.k3s.airgapImages ? "yes" : "no",
    },
    inputs: { SHA256: sums.binary, IMAGES_SHA256: sums.images },
  };
}

/** @param file the binary's path on the Proxmox host; the images are in the same folder */
function fromHost({ node, context: { plan, host, mark } }: ArtifactsArgs, file: string): Source {
  const files = [binaryName(plan.arch)];
  if (plan.k3s.airgapImages) files.push(imagesName(plan.arch));
  return {
    task: "push-artifacts",
    title: `copy the files of K3s ${plan.version} from the Proxmox host to ${node.name}`,
    connection: host,
    lock: `guest-${node.vmId}`,
    args: {
      VMID: node.vmId,
      NAME: node.name,
      FROM: path.posix.dirname(file),
      FILES: files.join("\n"),
    },
    inputs: { MARK: mark },
  };
}
