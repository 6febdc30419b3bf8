import { encodeText } from "../guestConfig";
import { failure } from "../errors";
import type { Call, Endpoint } from "../http/endpoint";
import { required } from "../schema/schema";
import { downloadFile, urlMetadata } from "../storage/download";
import { assertContentName } from "../storage/storageStore";
import { contentFile, contentFilename, flag, node, storage, text } from "./parameters";

const url = required("string", { pattern: /^https?:\/\/.*$/ });

/** Fetching any URL can probe the host's network, so it needs rights on the node or on everything. */
function checkNetworkAccess({ node: pve, user }: Call): void {
  const permissions = pve.access.permissions();
  if (permissions.has(user, "/", ["Sys.Audit", "Sys.Modify"])) return;
  permissions.check(user, `/nodes/${pve.name}`, ["Sys.AccessNetwork"]);
}

/** Downloads of templates and images by the node. */
export const downloadEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/nodes/{node}/query-url-metadata",
    parameters: { node, url, "verify-certificates": flag },
    permission: checkNetworkAccess,
    handle: ({ params }) => urlMetadata(params["url"]!, params["verify-certificates"] !== "0"),
  },
  {
    method: "POST",
    path: "/nodes/{node}/storage/{storage}/download-url",
    parameters: {
      ...{ node, storage, url, "verify-certificates": flag },
      ...contentFile,
      compression: text,
    },
    permission: (call) => {
      call.node.access
        .permissions()
        .check(call.user, `/storage/${call.params["storage"]}`, ["Datastore.AllocateTemplate"]);
      checkNetworkAccess(call);
    },
    handle: download,
  },
];

/** A `download` task. */
function download({ node: pve, user, params }: Call): string {
  const { storage: name = "", content = "", checksum, "checksum-algorithm": algorithm } = params;
  const { type, path, content: allowed } = pve.storages.get(name);
  if (type !== "dir" || path === undefined)
    throw failure(`can't upload to storage type '${type}', not a file based storage!`);
  if (!allowed.includes(content)) throw failure(`storage '${name}' is not configured for content-type '${content}'`);
  if (params["compression"] !== undefined) throw failure(`decompression not supported for ${content}`);
  const filename = contentFilename(params["filename"]!);
  assertContentName(content, filename);
  const destination = pve.storages.filePath(`${name}:${content}/${filename}`);
  return pve.tasks.start("download", encodeText(filename), user, (log) =>
    downloadFile(
      {
        url: params["url"]!,
        destination,
        verifyCertificates: params["verify-certificates"] !== "0",
        ...(checksum !== undefined && algorithm !== undefined && { checksum: { algorithm, value: checksum } }),
      },
      log,
    ),
  );
}
