import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as https from "node:https";
import { pipeline } from "node:stream/promises";

import { sha256 } from "../k3s/images";

/** A part's entry in a manifest. */
export interface Descriptor {
  readonly mediaType: string;
  /** `sha256:…` */
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
}

/** A part of an image or a chart: a file, or bytes. */
export type Blob = { readonly file: string } | { readonly bytes: Buffer };

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** Pushes to a registry by the HTTP API of the OCI distribution specification 1.0, over TLS. */
export class RegistryClient {
  /**
   * @param authority host and port, `198.18.1.1:5000`
   * @param ca PEM of the authority that has signed the registry's certificate
   */
  constructor(
    readonly authority: string,
    private readonly ca: string,
  ) {}

  /**
   * Pushes one image or chart under a tag: its parts, then its manifest. It skips parts that the registry has.
   *
   * @returns the digest of the manifest, `sha256:…`
   * @throws Error with the registry's answer
   */
  async push(repository: string, tag: string, config: Described, layers: readonly Described[]): Promise<string> {
    const described: Descriptor[] = [];
    for (const { mediaType, ...blob } of [config, ...layers])
      described.push({ mediaType, ...(await this.pushBlob(repository, blob)) });
    const [of, ...rest] = described;
    const manifest = { schemaVersion: 2, mediaType: MANIFEST, config: of, layers: rest };
    const bytes = Buffer.from(JSON.stringify(manifest));
    await this.send("PUT", `/v2/${repository}/manifests/${tag}`, { "content-type": MANIFEST }, { bytes }, 201);
    return digestOf({ bytes });
  }

  private async pushBlob(repository: string, blob: Blob): Promise<Omit<Descriptor, "mediaType">> {
    const digest = digestOf(blob);
    const size = sizeOf(blob);
    const found = await this.request("HEAD", `/v2/${repository}/blobs/${digest}`);
    if (found.status === 200) return { digest, size };
    const { location = "" } = await this.send("POST", `/v2/${repository}/blobs/uploads/`, {}, undefined, 202);
    const upload = new URL(location, `https://${this.authority}`);
    upload.searchParams.set("digest", digest);
    const type = { "content-type": "application/octet-stream" };
    await this.send("PUT", `${upload.pathname}${upload.search}`, type, blob, 201);
    return { digest, size };
  }

  /** @throws Error for another status than the expected one */
  private async send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: Blob | undefined,
    expected: number,
  ): Promise<{ readonly location?: string }> {
    const answer = await this.request(method, path, headers, body);
    if (answer.status !== expected)
      throw new Error(`the lab's registry answered ${method} ${path} with ${answer.status}: ${answer.text}`);
    return answer;
  }

  private request(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: Blob,
  ): Promise<{ readonly status: number; readonly text: string; readonly location?: string }> {
    const url = `https://${this.authority}${path}`;
    const length = { "content-length": body ? sizeOf(body) : 0 };
    return new Promise((resolve, reject) => {
      const request = https.request(url, { method, ca: this.ca, headers: { ...headers, ...length } }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("error", reject).on("end", () => {
          const { location } = response.headers;
          resolve({ status: response.statusCode ?? 0, text: text.trim(), ...(location !== undefined && { location }) });
        });
      });
      request.on("error", reject);
      if (body && "file" in body) pipeline(fs.createReadStream(body.file), request).catch(reject);
      else request.end(body?.bytes);
    });
  }
}

/** A part with its media type. */
export type Described = { readonly mediaType: string } & Blob;

const sizeOf = (blob: Blob): number => ("file" in blob ? fs.statSync(blob.file).size : blob.bytes.length);

function digestOf(blob: Blob): string {
  const hex = "file" in blob ? sha256(blob.file) : createHash("sha256").update(blob.bytes).digest("hex");
  return `sha256:${hex}`;
}
