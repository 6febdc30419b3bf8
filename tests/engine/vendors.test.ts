import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { downloadRelease, releaseAnswers } from "../../lab/k3s/release";
import { k3sVersion, releaseFiles } from "../../lab/k3s/versions";
import { ensureToolchain, type Toolchain } from "../../lab/toolchain/install";
import { answers, downloadCli, downloadPlugin, type Vendors } from "../../lab/toolchain/vendor";
import { cliVersion, pluginVersion } from "../../lab/toolchain/versions";

/**
 * The vendors' downloads, which are used if their sites answer. The sites are a double on loopback, with archives of the same names
 * and form. The CLI that is downloaded, and that downloads its plugins, is real.
 */

jest.setTimeout(1_800_000);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "vendors-"));
const at = (...parts: string[]): string => path.join(folder, ...parts);
const site = at("site");
let toolchain: Toolchain;
let server: http.Server;
let url: string;
let vendors: Vendors;
const log = (): void => {};

beforeAll(async () => {
  toolchain = await ensureToolchain(console.error);
  const [os_, arch] = [process.platform, process.arch === "x64" ? "x64" : "arm64"];
  fs.mkdirSync(at("site", k3sVersion), { recursive: true });
  // As in the vendor's archive: a folder `pulumi` with all files of the CLI.
  fs.mkdirSync(at("pulumi"));
  fs.symlinkSync(path.join(toolchain.binDir, "pulumi"), at("pulumi", "pulumi"));
  archive(at("site", `pulumi-v${cliVersion}-${os_}-${arch}.tar.gz`), folder, "pulumi");
  const version = pluginVersion("random");
  const plugin = path.join(toolchain.pluginsDir, `resource-random-v${version}`);
  const goArch = process.arch === "x64" ? "amd64" : "arm64";
  archive(at("site", `pulumi-resource-random-v${version}-${os_}-${goArch}.tar.gz`), plugin, "pulumi-resource-random");
  server = http.createServer(({ url: asked = "" }, response) => {
    const file = path.join(site, decodeURIComponent(asked));
    if (!fs.existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { "content-length": fs.statSync(file).size });
    fs.createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vendors = { cli: url, plugins: { random: url } };
});
afterAll(() => {
  server?.close();
  fs.rmSync(folder, { recursive: true });
});

function archive(file: string, dir: string, member: string): void {
  execFileSync("tar", ["--use-compress-program=gzip -1", "--dereference", "-cf", file, "-C", dir, member]);
}

describe("Pulumi's downloads", () => {
  test("are tried for a few seconds, and not used if they are unavailable", async () => {
    expect(await answers(vendors)).toBe(true);
    expect(await answers({ ...vendors, cli: `${url}/elsewhere` })).toBe(false);
    expect(await answers({ ...vendors, cli: "http://127.0.0.1:1" })).toBe(false);
  });

  test("contain the CLI of the pinned version", async () => {
    fs.mkdirSync(at("cli"));
    await downloadCli(at("cli"), log, vendors);
    expect(execFileSync(at("cli", "pulumi"), ["version"], { encoding: "utf8" }).trim()).toBe(`v${cliVersion}`);
    expect(fs.readdirSync(at("cli"))).toEqual(["pulumi"]);
  });

  test("include a plugin, which the CLI installs, with nothing else in its folder", async () => {
    fs.mkdirSync(at("random"));
    await downloadPlugin(path.join(toolchain.binDir, "pulumi"), "random", at("random"), log, vendors);
    expect(fs.readdirSync(at("random"))).toContain("pulumi-resource-random");
    expect(fs.readdirSync(at("random"))).not.toContain("home");
    await expect(
      downloadPlugin(path.join(toolchain.binDir, "pulumi"), "command", at("random"), log, {
        ...vendors,
        plugins: { command: url },
      }),
    ).rejects.toThrow();
  });
});

describe("K3s' files", () => {
  const put = (name: string, content: string): string => {
    fs.writeFileSync(at("site", k3sVersion, name), content);
    return `${createHash("sha256").update(content).digest("hex")}  ${name}\n`;
  };

  test("are checked against the release's own checksums", async () => {
    expect(await releaseAnswers(url)).toBe(false);
    const list = put(releaseFiles.binary, "the binary") + put(releaseFiles.images, "the images");
    put(releaseFiles.sums, list);
    expect(await releaseAnswers(url)).toBe(true);
    fs.mkdirSync(at("k3s"));
    await downloadRelease(at("k3s"), log, url);
    expect(fs.readFileSync(at("k3s", releaseFiles.binary), "utf8")).toBe("the binary");
    expect(fs.statSync(at("k3s", releaseFiles.binary)).mode & 0o777).toBe(0o755);
  });

  test("are refused if a file does not match", async () => {
    put(releaseFiles.binary, "another binary");
    await expect(downloadRelease(at("k3s"), log, url)).rejects.toThrow(
      `${releaseFiles.binary} of K3s ${k3sVersion} has the SHA-256`,
    );
  });
});
