import Busboy, { type BusboyHeaders } from "@fastify/busboy";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { createHash, randomUUID } from "node:crypto";
import * as fs from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ApiError, failure, messageOf } from "../errors";

/** A file that came with a request, and the fields before it. */
export class Upload {
  private isTaken = false;

  constructor(
    readonly fields: Readonly<Record<string, string>>,
    /** Path of the content, `/var/tmp/pveupload-<hex>`. */
    readonly file: string,
  ) {}

  /** From now on an endpoint's task removes the file. */
  take(): void {
    this.isTaken = true;
  }

  /** Removes the file unless it was taken. */
  discard(): void {
    if (!this.isTaken) fs.rmSync(this.file, { force: true });
  }
}

/** PVE's error for a body that the endpoint does not accept. */
export function unknownContentType(request: FastifyRequest): ApiError {
  return new ApiError(506, `upload 'Content-Type '${request.headers["content-type"]}' not implemented`);
}

/** Makes an app read files for routes with `config.takesFile`. A file that no endpoint took is removed after the answer. */
export function readUploads(app: FastifyInstance): void {
  app.addContentTypeParser("multipart/form-data", async (request: FastifyRequest, body: Readable) => {
    if (!takesFile(request)) throw unknownContentType(request);
    return receiveUpload(request, body);
  });
  app.addHook("preValidation", async ({ body }, reply) => {
    if (body instanceof Upload) reply.raw.on("close", () => body.discard());
  });
}

/**
 * The parameter that tells an endpoint the file's path; nothing on the local socket, where the caller names a file itself.
 *
 * @throws ApiError if a required file is missing, or if a client names a path.
 */
export function fileParameter(request: FastifyRequest): { tmpfilename?: string } {
  if (!takesFile(request) || request.protocol !== "https") return {};
  if (!(request.body instanceof Upload)) throw unknownContentType(request);
  if (new URL(request.url, "https://pve").searchParams.has("tmpfilename"))
    throw failure("'tmpfilename' query parameter is not allowed for file uploads");
  return { tmpfilename: request.body.file };
}

function takesFile(request: FastifyRequest): boolean {
  return (request.routeOptions.config as { takesFile?: true }).takesFile ?? false;
}

/**
 * Reads a body of `multipart/form-data` as `PVE::APIServer::AnyEvent::file_upload_multipart` does: fields first, then the
 * one part with the file, whose name must be `filename`.
 *
 * @throws ApiError 500 with PVE's text; nothing is left behind.
 */
async function receiveUpload(request: FastifyRequest, body: Readable): Promise<Upload> {
  if (request.headers["content-length"] === undefined)
    throw failure("upload without content length header not supported");
  const name = createHash("md5").update(randomUUID()).digest("hex");
  const fields: Record<string, string> = {};
  const upload = new Upload(fields, `/var/tmp/pveupload-${name}`);
  let content: Promise<void> | undefined;
  let problem: ApiError | undefined;
  try {
    const parser = new Busboy({ headers: request.headers as BusboyHeaders, preservePath: true });
    parser.on("field", (field, value) => {
      // PVE reads everything after the headers of the file part as the file's content.
      if (content) problem ??= failure("upload failed");
      fields[field] = value.trim();
    });
    parser.on("file", (field, stream, filename) => {
      if (field !== "filename") problem ??= failure(`wrong field name '${field}' for file upload, expected 'filename'`);
      if (content || problem) return void stream.resume();
      fields["filename"] = filename.trim();
      content = pipeline(stream, fs.createWriteStream(upload.file, { flags: "wx", mode: 0o600 }));
    });
    await pipeline(body, parser);
    await content;
  } catch (error) {
    problem ??= failure(messageOf(error));
  }
  if (!content) problem ??= failure("upload failed");
  if (problem) {
    upload.discard();
    throw problem;
  }
  return upload;
}
