import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { sha256, writeImageArchive, writeImageFolder } from "../../lab/k3s/images";
import { readSums, writeSums } from "../../lab/k3s/release";
import { standInSources } from "../../lab/k3s/standIn";
import { k3sVersion, kubernetesVersion } from "../../lab/k3s/versions";

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "k3s-artifacts-"))));
afterEach(() => fs.rmSync(folder, { recursive: true }));

const sum = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

describe("writeImageArchive", () => {
  async function write(name: string): Promise<string> {
    const rootfs = path.join(folder, `rootfs-${name}`);
    fs.mkdirSync(path.join(rootfs, "bin"), { recursive: true });
    fs.writeFileSync(path.join(rootfs, "bin", "hello"), "hello\n", { mode: 0o755 });
    const archive = path.join(folder, `${name}.tar`);
    const image = { name: "docker.io/library/hello:1", rootfs, entrypoint: ["/bin/hello"] };
    await writeImageArchive(archive, [image], path.join(folder, `scratch-${name}`));
    return archive;
  }

  test("names image, configuration and layer by their digests, as docker save does", async () => {
    const archive = await write("one");
    const read = (file: string) => execFileSync("tar", ["-xOf", archive, file]);
    const [entry] = JSON.parse(read("manifest.json").toString()) as [
      { Config: string; RepoTags: string[]; Layers: string[] },
    ];
    expect(entry.RepoTags).toEqual(["docker.io/library/hello:1"]);
    expect(entry.Config).toBe(`${sum(read(entry.Config))}.json`);
    const layer = read(entry.Layers[0]!);
    const config = JSON.parse(read(entry.Config).toString()) as {
      rootfs: { diff_ids: string[] };
      config: { Entrypoint: string[] };
    };
    expect(config.rootfs.diff_ids).toEqual([`sha256:${sum(layer)}`]);
    expect(config.config.Entrypoint).toEqual(["/bin/hello"]);
    expect(execFileSync("tar", ["-xOf", "-", "./bin/hello"], { input: layer }).toString()).toBe("hello\n");
  });

  test("names the user that an image runs as, and none for root", async () => {
    const rootfs = path.join(folder, "rootfs");
    fs.mkdirSync(rootfs);
    const of = { rootfs, entrypoint: ["/hello"] };
    const images = [
      { ...of, name: "one:1" },
      { ...of, name: "two:1", user: "65534" },
    ];
    await writeImageFolder(path.join(folder, "image"), images);
    const read = (file: string) => JSON.parse(fs.readFileSync(path.join(folder, "image", file), "utf8")) as unknown;
    const entries = read("manifest.json") as { Config: string }[];
    const users = entries.map(({ Config }) => (read(Config) as { config: { User?: string } }).config.User);
    expect(users).toEqual([undefined, "65534"]);
  });

  test("gives the same archive for the same content at any time", async () => {
    const one = await write("one");
    fs.utimesSync(path.join(folder, "rootfs-one", "bin", "hello"), 1, 1);
    expect(sha256(await write("two"))).toBe(sha256(one));
  });
});

describe("a release's list of sums", () => {
  test("can be read after it is written, for the binary and the images", () => {
    fs.writeFileSync(path.join(folder, "k3s"), "binary");
    fs.writeFileSync(path.join(folder, "k3s-airgap-images-amd64.tar"), "images");
    writeSums(folder);
    expect([...readSums(path.join(folder, "sha256sum-amd64.txt"))]).toEqual([
      ["k3s", sum("binary")],
      ["k3s-airgap-images-amd64.tar", sum("images")],
    ]);
  });

  test("is read from the vendor's format, without other lines", () => {
    const file = path.join(folder, "sums.txt");
    fs.writeFileSync(file, `# comment\n${"a".repeat(64)}  k3s\n${"b".repeat(64)} *k3s-airgap-images-amd64.tar.zst\n`);
    expect(readSums(file)).toEqual(
      new Map([
        ["k3s", "a".repeat(64)],
        ["k3s-airgap-images-amd64.tar.zst", "b".repeat(64)],
      ]),
    );
  });
});

describe("the stand-in's sources", () => {
  const files = new Map<string, string>();
  const parts = standInSources();
  for (let i = 0; i < parts.length; i += 2) files.set(parts[i]!, parts[i + 1]!);

  test("pin the Kubernetes version that the lab reports", () => {
    expect(files.get("go.mod")).toContain(`k8s.io/kubernetes ${kubernetesVersion}\n`);
    expect(k3sVersion.startsWith(`${kubernetesVersion}+k3s`)).toBe(true);
  });

  test("pin every staging module of that Kubernetes to the same version", () => {
    const staging = kubernetesVersion.replace("v1.", "v0.");
    const replaced = [...files.get("go.mod")!.matchAll(/^\s+(k8s\.io\/\S+) => (k8s\.io\/\S+) (\S+)$/gm)];
    expect(replaced.length).toBeGreaterThan(25);
    for (const [, from, to, version] of replaced) expect([from, version]).toEqual([to, staging]);
  });
});
