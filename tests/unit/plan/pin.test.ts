import fs from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { parsePins, repositoryPins } from "../../../plan/pins";
import { fetchReleasePins, parseSumList, recordRelease, withRelease } from "../../../cli/pin/releaseSums";

const VERSION = "v1.36.3+k3s1";
const sum = (digit: string): string => digit.repeat(64);
const AMD64 = [
  `${sum("1")}  k3s-airgap-images-amd64.tar`,
  `${sum("2")}  k3s-airgap-images-amd64.tar.zst`,
  `${sum("3")}  k3s`,
  "",
].join("\n");
const ARM64 = [`${sum("4")} *k3s-airgap-images-arm64.tar`, `${sum("5")} *dist/artifacts/k3s-arm64`, ""].join("\n");

/** A server that publishes the files given, and answers 500 for the version "broken". */
let server: http.Server;
let baseUrl: string;
const published = new Map<string, string>();

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    const body = published.get(url);
    response.writeHead(url.includes("broken") ? 500 : body === undefined ? 404 : 200).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/k3s`;
});
afterAll(() => new Promise((closed) => server.close(closed)));
beforeEach(() => {
  published.clear();
  published.set(`/k3s/${VERSION}/sha256sum-amd64.txt`, AMD64);
  published.set(`/k3s/${VERSION}/sha256sum-arm64.txt`, ARM64);
});

const release = { amd64: { k3s: sum("3"), images: sum("1") }, arm64: { k3s: sum("5"), images: sum("4") } };

test("a release's lists are read for both architectures", async () => {
  expect(await fetchReleasePins(baseUrl, VERSION)).toEqual(release);
});

test("an architecture that is not published is left out", async () => {
  published.delete(`/k3s/${VERSION}/sha256sum-arm64.txt`);
  expect(await fetchReleasePins(baseUrl, VERSION)).toEqual({ amd64: release.amd64 });
});

test("a release that does not exist and a broken server have different errors", async () => {
  await expect(fetchReleasePins(baseUrl, "v1.0.0+k3s9")).rejects.toThrow(
    `there is no release v1.0.0+k3s9 at ${baseUrl}`,
  );
  await expect(fetchReleasePins(baseUrl, "broken")).rejects.toThrow(/sha256sum-amd64\.txt cannot be read: HTTP 500/);
});

test("the error for an unreachable server names it and the cause", async () => {
  const gone = http.createServer();
  await new Promise<void>((listening) => gone.listen(0, "127.0.0.1", listening));
  const { port } = gone.address() as AddressInfo;
  await new Promise((closed) => gone.close(closed));
  await expect(fetchReleasePins(`http://127.0.0.1:${port}`, VERSION)).rejects.toThrow(
    /cannot be read: connect ECONNREFUSED/,
  );
});

test("a list without the binary is refused, even an HTML page", () => {
  expect(() => parseSumList(`${sum("1")}  k3s-airgap-images-amd64.tar\n`, "amd64")).toThrow("has no SHA-256 for k3s");
  expect(() => parseSumList("<html>404</html>", "arm64")).toThrow("has no SHA-256 for k3s-arm64");
});

test("a recorded sum never changes without an error", () => {
  const pins = { [VERSION]: { amd64: { k3s: sum("9") } } };
  expect(() => withRelease(pins, VERSION, release)).toThrow(
    /SHA-256 of k3s v1\.36\.3\+k3s1 \(amd64\) is 3{64}, but 9{64} is recorded/,
  );
});

test("a new record is added to the file, which keeps the others, sorted by version", async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "pins-"));
  const file = path.join(folder, "pinned-sums.json");
  const other = { amd64: { k3s: sum("7") } };
  try {
    await fs.writeFile(file, JSON.stringify({ "v1.36.10+k3s1": other, "v1.9.0+k3s1": other }));
    expect(await recordRelease(file, baseUrl, VERSION)).toEqual(release);
    await recordRelease(file, baseUrl, VERSION); // a second run changes nothing
    const recorded = parsePins(JSON.parse(await fs.readFile(file, "utf8")));
    expect(recorded).toEqual({ "v1.9.0+k3s1": other, [VERSION]: release, "v1.36.10+k3s1": other });
    expect(Object.keys(recorded)).toEqual(["v1.9.0+k3s1", VERSION, "v1.36.10+k3s1"]);
    expect(await fs.readdir(folder)).toEqual(["pinned-sums.json"]);
  } finally {
    await fs.rm(folder, { recursive: true });
  }
});

test("an invalid pins file is refused", () => {
  expect(() => parsePins({ [VERSION]: { amd64: { k3s: "abc" } } })).toThrow();
  expect(() => parsePins({ "1.36": {} })).toThrow();
  expect(() => parsePins({ [VERSION]: { s390x: {} } })).toThrow();
});

test("the repo's own pins are well-formed", () => {
  expect(repositoryPins).toEqual(parsePins(JSON.parse(JSON.stringify(repositoryPins))));
});
