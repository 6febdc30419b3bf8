import * as proxmoxve from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";

import { type DownloadedImage, downloadedImage, imageFile, imageVolume, vendorDataVolume } from "../../plan/bootFiles";
import { type ClusterPlan, installsAgent, type VmNodePlan } from "../../plan/model";
import type { ClusterRecord } from "../../plan/record";
import { clusterStepName, hookName } from "../../plan/steps";
import { advice } from "../../remote/advice";
import { type Connection, RemoteScript } from "../../remote/RemoteScript";

/** What a new virtual machine is created from, in addition to a template. */
export interface BootFiles {
  /** Volume id of the image that becomes its root disk. */
  readonly image?: pulumi.Input<string>;
  /** Volume id of the file that cloud-init reads in addition to the machine's own settings. */
  readonly vendorData?: pulumi.Input<string>;
  /** The machine is created after these, and they are removed after it. */
  readonly resources: readonly pulumi.Resource[];
}

interface BootFilesArgs {
  readonly plan: ClusterPlan;
  readonly former: ClusterRecord;
  readonly proxmox: proxmoxve.Provider;
  readonly host: Connection;
  readonly clusterId: pulumi.Output<string>;
  /** The checks of the host, which run first. */
  readonly after: readonly pulumi.Resource[];
  readonly scriptOptions: (own: pulumi.CustomResourceOptions) => pulumi.CustomResourceOptions;
}

/** Seconds for the download of an image. */
const DOWNLOAD = 1800;

/**
 * The images that Proxmox VE downloads, one for each storage and sum, and the files with which cloud-init installs the guest agent.
 */
export function bootFiles(name: string, args: BootFilesArgs, parent: pulumi.Resource): (node: VmNodePlan) => BootFiles {
  const { plan, former, clusterId } = args;
  const failure = imageFailure(name);
  const downloads = new Map<string, proxmoxve.download.File>();
  const downloadOf = (node: VmNodePlan): proxmoxve.download.File[] => {
    const image = downloadedImage(node);
    if (image === undefined) return [];
    const resource = `${name}-image-${image.storage}-${image.sha256.slice(0, 12)}`;
    const file = downloads.get(resource) ?? download(resource, image, { ...args, failure }, parent);
    downloads.set(resource, file);
    return [file];
  };
  const snippets = snippetStorages(plan, former).map((storage) => snippet(name, storage, args, parent));
  return (node) => ({
    ...imageOf(node, clusterId),
    ...(node.installAgent ? { vendorData: clusterId.apply((id) => vendorDataVolume(id, node, plan)!) } : {}),
    resources: [...downloadOf(node), ...snippets],
  });
}

/** A preview knows a volume that the config names. The name of a downloaded image contains the cluster's id. */
function imageOf(node: VmNodePlan, clusterId: pulumi.Output<string>): Pick<BootFiles, "image"> {
  if (!("image" in node.source)) return {};
  const { image } = node.source;
  return { image: "volume" in image ? image.volume : clusterId.apply((id) => imageVolume(id, node)!) };
}

function download(
  name: string,
  image: DownloadedImage,
  { plan, proxmox, clusterId, after, failure }: BootFilesArgs & { failure: pulumi.ErrorHook },
  parent: pulumi.Resource,
): proxmoxve.download.File {
  return new proxmoxve.download.File(
    name,
    {
      nodeName: plan.proxmox.node,
      datastoreId: image.storage,
      contentType: "import",
      fileName: clusterId.apply((id) => imageFile(id, image)),
      url: image.url,
      checksum: image.sha256,
      checksumAlgorithm: "sha256",
      // Otherwise each refresh asks the URL for the file's size, and downloads the file again if that has changed.
      overwrite: false,
      uploadTimeout: DOWNLOAD,
    },
    {
      parent,
      provider: proxmox,
      dependsOn: [...after],
      // The same sum means the same file, wherever it comes from.
      ignoreChanges: ["url"],
      hooks: { onError: [failure] },
    },
  );
}

/** Logs what to do if an image cannot be downloaded; the client's own message names a request and a reason. */
function imageFailure(cluster: string): pulumi.ErrorHook {
  return new pulumi.ErrorHook(
    hookName(cluster, "image-failure"),
    async ({ failedOperation, newInputs, oldInputs, errors }) => {
      const { url, datastoreId } = (newInputs ?? oldInputs ?? {}) as Readonly<Record<string, unknown>>;
      const [error = ""] = errors;
      await pulumi.log.warn(
        failedOperation === "delete"
          ? advice(
              `an image that the program downloaded to ${String(datastoreId)} was not removed`,
              "fix the cause in the message of Proxmox VE, then pulumi up",
            )
          : advice(
              `the image ${String(url)} was not downloaded to ${String(datastoreId)}`,
              error.includes("checksum mismatch")
                ? "compare image.sha256 with the sum that the vendor publishes for this file; if the file at the URL changes, take the URL of one release; then pulumi up"
                : "check image.url, and that the Proxmox host reaches it; then pulumi up",
            ),
      );
      return false;
    },
  );
}

/**
 * The storages on which machines need a snippet. A machine names its snippet as long as it exists, and Proxmox VE does not start
 * a machine whose snippet is missing. So a snippet is removed with the last machine that names it, whatever the config says by
 * then.
 */
function snippetStorages(plan: ClusterPlan, { nodes }: ClusterRecord): string[] {
  const kept = nodes
    .filter(({ name }) => plan.nodes.some((node) => node.name === name))
    .flatMap(({ vendorData }) => (vendorData === undefined ? [] : [vendorData.slice(0, vendorData.indexOf(":"))]));
  const wanted = plan.nodes.some(installsAgent) ? [plan.proxmox.snippets] : [];
  return [...new Set([...wanted, ...kept])].sort();
}

function snippet(
  name: string,
  storage: string,
  { host, clusterId, after, scriptOptions }: BootFilesArgs,
  parent: pulumi.Resource,
): RemoteScript {
  return new RemoteScript(
    // The name of a step has no dots.
    clusterStepName(`${name}-${storage.replaceAll(".", "-")}`, "snippet"),
    {
      task: "snippet",
      title: `the file with which cloud-init installs the guest agent, on ${storage}`,
      on: "apply and delete",
      connection: host,
      lock: `snippet-${name}`,
      boundSeconds: 120,
      args: { STORAGE: storage },
      inputs: { CLUSTER_ID: clusterId },
    },
    scriptOptions({ parent, dependsOn: [...after] }),
  );
}
