/** The lab's registry alone: Debian's docker-registry with TLS, which checks each digest that it gets. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as https from "node:https";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { createCertificates } from "../../lab/host/tls";
import { run } from "../../lab/host/run";
import { writeImageArchive } from "../../lab/k3s/images";
import { pushChart } from "../../lab/registry/charts";
import { RegistryClient } from "../../lab/registry/client";
import { pushImageArchive } from "../../lab/registry/images";
import { ensureDebianTool } from "../../lab/support/debianTool";
import { eventually } from "../support/lab";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "registry-test-"));
const config = path.join(__dirname, "../../lab/registry/config.yml");
let registry: ChildProcess;
let authority: string;
let ca: string;
let client: RegistryClient;

interface Answer {
  readonly status: number;
  readonly bytes: Buffer;
  readonly digest: string;
}

/** What any client that trusts the CA gets. */
function get(at: string, accept = "*/*"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.get(`https://${authority}${at}`, { ca, headers: { accept } }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        const digest = String(response.headers["docker-content-digest"]);
        resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(parts), digest });
      });
    });
    request.on("error", reject);
  });
}

interface Manifest {
  readonly config: { readonly mediaType: string; readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}

async function manifestOf(repository: string, tag: string): Promise<Manifest & { readonly digest: string }> {
  const accept = "application/vnd.oci.image.manifest.v1+json";
  const { status, bytes, digest } = await get(`/v2/${repository}/manifests/${tag}`, accept);
  expect(status).toBe(200);
  return { ...(JSON.parse(bytes.toString()) as Manifest), digest };
}

const sum = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

beforeAll(async () => {
  const binary = await ensureDebianTool("docker-registry", "docker-registry", console.error);
  await createCertificates(folder, "127.0.0.1");
  authority = `127.0.0.1:${await freePort()}`;
  ca = fs.readFileSync(path.join(folder, "pve-root-ca.pem"), "utf8");
  client = new RegistryClient(authority, ca);
  const env = {
    REGISTRY_HTTP_ADDR: authority,
    REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: path.join(folder, "storage"),
    REGISTRY_HTTP_TLS_CERTIFICATE: path.join(folder, "nodes/pve/pve-ssl.pem"),
    REGISTRY_HTTP_TLS_KEY: path.join(folder, "nodes/pve/pve-ssl.key"),
  };
  registry = spawn(binary, ["serve", config], { env: { ...process.env, ...env }, stdio: "ignore" });
  await eventually(20, async () => (await get("/v2/")).status === 200);
}, 300_000);

afterAll(() => {
  registry.kill();
  fs.rmSync(folder, { recursive: true });
});

test("it accepts every image of an archive, by its name without the registry, and returns it unchanged", async () => {
  const rootfs = path.join(folder, "rootfs");
  fs.mkdirSync(rootfs);
  fs.writeFileSync(path.join(rootfs, "hello"), "hello\n");
  const image = { rootfs, entrypoint: ["/hello"] };
  const names = ["docker.io/library/one:1", "quay.io/team/two:v2"];
  const archive = path.join(folder, "images.tar");
  await writeImageArchive(
    archive,
    names.map((name) => ({ ...image, name })),
    path.join(folder, "scratch"),
  );

  const pushed = await pushImageArchive(client, archive);
  expect([...pushed.keys()]).toEqual(names);
  for (const [name, place] of [
    [names[0]!, ["library/one", "1"]],
    [names[1]!, ["team/two", "v2"]],
  ] as const) {
    const { digest, config: of, layers } = await manifestOf(place[0], place[1]);
    expect(digest).toBe(pushed.get(name));
    const { bytes } = await get(`/v2/${place[0]}/blobs/${of.digest}`);
    expect(JSON.parse(bytes.toString())).toMatchObject({ os: "linux", config: { Entrypoint: ["/hello"] } });
    const layer = await get(`/v2/${place[0]}/blobs/${layers[0]!.digest}`);
    expect([sum(layer.bytes), layer.bytes.length]).toEqual([layers[0]!.digest, layers[0]!.size]);
  }
  expect(await pushImageArchive(client, archive)).toEqual(pushed);
}, 60_000);

test("it accepts a chart as Helm pushes it, and the same files have the same digest", async () => {
  const chart = path.join(folder, "own");
  fs.mkdirSync(path.join(chart, "templates"), { recursive: true });
  fs.writeFileSync(path.join(chart, "Chart.yaml"), "apiVersion: v2\nname: own\nversion: 1.2.3+lab\n");
  fs.writeFileSync(path.join(chart, "templates/nothing.yaml"), "");
  const pushed = await pushChart(client, chart);
  expect(pushed).toEqual({
    source: `oci://${authority}/charts/own`,
    version: "1.2.3+lab",
    digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
  });
  const { digest, config: of, layers } = await manifestOf("charts/own", "1.2.3_lab");
  expect(digest).toBe(pushed.digest);
  expect([of.mediaType, ...layers.map(({ mediaType }) => mediaType)]).toEqual([
    "application/vnd.cncf.helm.config.v1+json",
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
  ]);
  fs.utimesSync(path.join(chart, "Chart.yaml"), new Date(0), new Date(0));
  expect(await pushChart(client, chart)).toEqual(pushed);
}, 60_000);

test("a chart gets the CRDs of a Go module, whose files are read-only", async () => {
  const [chart, module, unpacked] = ["with-crds", "module", "unpacked"].map((name) => path.join(folder, name));
  for (const made of [chart!, module!, unpacked!]) fs.mkdirSync(made);
  fs.writeFileSync(path.join(chart!, "Chart.yaml"), "apiVersion: v2\nname: with-crds\nversion: 1.0.0\n");
  fs.writeFileSync(path.join(module!, "things.yaml"), "kind: CustomResourceDefinition\n", { mode: 0o444 });
  await pushChart(client, chart!, [{ from: module!, into: "crds" }]);
  const { layers } = await manifestOf("charts/with-crds", "1.0.0");
  const archive = path.join(folder, "with-crds.tgz");
  fs.writeFileSync(archive, (await get(`/v2/charts/with-crds/blobs/${layers[0]!.digest}`)).bytes);
  await run("tar", ["-xzf", archive, "-C", unpacked!]);
  expect(fs.readFileSync(path.join(unpacked!, "with-crds/crds/things.yaml"), "utf8")).toContain("kind: Custom");
}, 60_000);

test("a client that does not trust the CA gets nothing", async () => {
  const stranger = new RegistryClient(authority, fs.readFileSync(path.join(folder, "nodes/pve/pve-ssl.key"), "utf8"));
  const config = { mediaType: "application/json", bytes: Buffer.from("{}") };
  await expect(stranger.push("some/image", "1", config, [])).rejects.toThrow(/certificate|issuer/);
}, 60_000);
