import * as fs from "node:fs";
import * as path from "node:path";
import { failure, messageOf } from "../errors";
import type { Call, Endpoint } from "../http/endpoint";
import { optional } from "../schema/schema";
import { checksumProblem } from "../storage/download";
import { assertContentName } from "../storage/storageStore";
import { contentFile, contentFilename, node, storage } from "./parameters";

/** Files sent by a client: templates and images. PVE accepts no snippets this way. */
export const uploadEndpoints: readonly Endpoint[] = [
  {
    method: "POST",
    path: "/nodes/{node}/storage/{storage}/upload",
    parameters: {
      ...{ node, storage },
      ...contentFile,
      tmpfilename: optional("string", { pattern: /^\/var\/tmp\/pveupload-[0-9a-f]+$/ }),
    },
    permission: { path: "/storage/{storage}", privileges: ["Datastore.AllocateTemplate"] },
    takesFile: true,
    handle: upload,
  },
];

/** An `imgcopy` task. A file of the same name is overwritten. */
function upload({ node: pve, user, params }: Call): string {
  const { storage: name = "", content = "", tmpfilename: source, checksum, "checksum-algorithm": algorithm } = params;
  const { type, path: folder, content: allowed } = pve.storages.get(name);
  if (type !== "dir" || folder === undefined) throw failure(`can't upload to storage type '${type}'`);
  if (source === undefined) throw failure("missing temporary file name");
  if (!fs.existsSync(source)) throw failure(`temporary file '${source}' does not exist`);
  const filename = contentFilename(params["filename"]!);
  assertContentName(content, filename);
  if (!allowed.includes(content)) throw failure(`storage '${name}' does not support '${content}' content`);
  const destination = pve.storages.filePath(`${name}:${content}/${filename}`);
  const { size } = fs.statSync(source);
  fs.chmodSync(source, 0o644);
  fs.mkdirSync(path.dirname(destination), { recursive: true });
  return pve.tasks.start("imgcopy", "", user, async (log) => {
    try {
      log(`starting file import from: ${source}`);
      if (checksum !== undefined && algorithm !== undefined) {
        const problem = await checksumProblem(source, { algorithm, value: checksum });
        log(`calculating checksum...${problem ? "" : "OK, checksum verified"}`);
        if (problem) throw failure(problem);
      }
      log(`target node: ${pve.name}`);
      log(`target file: ${destination}`);
      log(`file size is: ${size}`);
      log(`command: cp -- ${source} ${destination}`);
      await fs.promises.copyFile(source, destination).catch((error: unknown) => {
        fs.rmSync(destination, { force: true });
        throw failure(`import failed: ${messageOf(error)}`);
      });
      log("finished file import successfully");
    } finally {
      fs.rmSync(source, { force: true });
    }
  });
}
