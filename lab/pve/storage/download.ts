import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";
import type { TaskLog } from "../driver";
import { failure, messageOf } from "../errors";

const maxRedirects = 10;

/** What a server says about a file before it is fetched. */
export interface UrlMetadata {
  filename?: string;
  size?: number;
  mimetype?: string;
}

export interface Checksum {
  /** `sha256`, `md5` … */
  algorithm: string;
  /** Hexadecimal, in either case. */
  value: string;
}

export interface Download {
  url: string;
  /** Path of the file to be made. */
  destination: string;
  checksum?: Checksum;
  verifyCertificates: boolean;
}

/** Name, size and type of the file at a URL. @throws ApiError 500 if the server does not answer with 200. */
export async function urlMetadata(url: string, verifyCertificates: boolean): Promise<UrlMetadata> {
  const { statusCode, statusMessage, headers } = await open("HEAD", url, verifyCertificates);
  if (statusCode !== 200) throw failure(`invalid server response: '${statusCode} ${statusMessage}'`);
  const disposition = String(headers["content-disposition"] ?? "");
  const [, quoted, plain] = /filename=(?:"([^"]*)"|([^;]*))/.exec(disposition) ?? [];
  const filename = quoted ?? plain ?? /^[^?]+\/([^?/]*)(?:\?.*)?$/.exec(url)?.[1];
  const size = Number(headers["content-length"] ?? 0);
  const mimetype = headers["content-type"]?.split(";")[0];
  return { ...(filename && { filename }), ...(size > 0 && { size }), ...(mimetype && { mimetype }) };
}

/** `PVE::Tools::download_file_from_url`: an existing file stays; it is no error if it has the requested checksum. */
export async function downloadFile(
  { url, destination, checksum, verifyCertificates }: Download,
  log: TaskLog,
): Promise<void> {
  log(`downloading ${url} to ${destination}`);
  if (fs.existsSync(destination)) {
    if (!checksum) throw failure(`refusing to override existing file '${destination}'`);
    const problem = await checksumProblem(destination, checksum);
    if (problem) throw failure(`${problem}, aborting`);
    log("OK, got correct file already, no need to download");
    return;
  }
  fs.mkdirSync(path.dirname(destination), { recursive: true });
  const temporary = `${destination}.tmp_dwnl.${process.pid}`;
  try {
    const response = await open("GET", url, verifyCertificates);
    if (response.statusCode !== 200) throw failure(`download failed: ${response.statusCode} ${response.statusMessage}`);
    await pipeline(response, fs.createWriteStream(temporary));
    if (checksum) {
      const problem = await checksumProblem(temporary, checksum);
      if (problem) throw failure(problem);
      log("calculating checksum...OK, checksum verified");
    }
    fs.renameSync(temporary, destination);
  } finally {
    fs.rmSync(temporary, { force: true });
  }
  log(`download of '${url}' to '${destination}' finished`);
}

/** The error if a file does not have the requested checksum; else undefined. */
export async function checksumProblem(file: string, { algorithm, value }: Checksum): Promise<string | undefined> {
  const hash = createHash(algorithm);
  await pipeline(fs.createReadStream(file), hash);
  const got = hash.digest("hex");
  return got === value.toLowerCase() ? undefined : `checksum mismatch: got '${got}' != expect '${value}'`;
}

/** The answer at the end of all redirects. */
async function open(method: string, url: string, rejectUnauthorized: boolean): Promise<http.IncomingMessage> {
  let target = url;
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await request(method, target, rejectUnauthorized);
    const location = response.headers.location;
    if (!location || ![301, 302, 303, 307, 308].includes(response.statusCode ?? 0)) return response;
    response.resume();
    target = new URL(location, target).href;
  }
  throw failure(`download failed: more than ${maxRedirects} redirects`);
}

function request(method: string, url: string, rejectUnauthorized: boolean): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown) => reject(failure(`download failed: ${messageOf(error)}`));
    const sent = url.startsWith("https:")
      ? https.request(url, { method, rejectUnauthorized }, resolve)
      : http.request(url, { method }, resolve);
    sent.on("error", onError).end();
  });
}
