import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { Log } from "../support/cache";
import { run } from "../host/run";
import { goBuild } from "../toolchain/go";
import { unpackDebianPackages } from "./debianPackages";
import { standInModule } from "./labImages";
import { k3sVersion, kubernetesVersion } from "./versions";

/** Debian's packages with what a K3s binary contains besides Kubernetes, and the files to take from them. */
const payloadPackages = ["containerd", "runc", "containernetworking-plugins"];
const payloadFiles = [
  "usr/bin/containerd",
  "usr/bin/containerd-shim-runc-v2",
  "usr/bin/ctr",
  "usr/sbin/runc",
  ...["bridge", "host-local", "loopback", "portmap"].map((plugin) => `usr/lib/cni/${plugin}`),
];

/** The last bytes of the binary; `internal/payload` reads them. */
const magic = "K3SPAYLD";

/** Content of all files that the stand-in is built from, as parts of a cache key. */
export function standInSources(): string[] {
  return fs
    .readdirSync(standInModule, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.go$|^go\.(mod|sum)$/.test(file) && !file.endsWith("_test.go"))
    .sort()
    .flatMap((file) => [file, fs.readFileSync(path.join(standInModule, file), "utf8")]);
}

/** Builds the stand-in: one static binary of Kubernetes, etcd and our K3s code, with containerd and its tools appended. */
export async function buildStandIn(output: string, scratch: string, log: Log): Promise<void> {
  log(`building the K3s stand-in over Kubernetes ${kubernetesVersion} (about 5 minutes on 2 cores the first time)`);
  const set = {
    "k8s.io/component-base/version.gitVersion": k3sVersion,
    "k8s.io/component-base/version.gitMajor": kubernetesVersion.split(".")[0]!.slice(1),
    "k8s.io/component-base/version.gitMinor": kubernetesVersion.split(".")[1]!,
    "k3s-standin/internal/version.Version": k3sVersion,
    "k3s-standin/internal/version.Upstream": kubernetesVersion,
  };
  await goBuild({ module: standInModule, package: ".", output, set }, log);
  appendPayload(output, await packPayload(scratch));
}

async function packPayload(scratch: string): Promise<string> {
  const unpacked = path.join(scratch, "payload");
  await unpackDebianPackages(payloadPackages, unpacked, path.join(scratch, "apt-payload"));
  const archive = path.join(scratch, "payload.tar.gz");
  const flags = ["--use-compress-program=gzip -n", "--sort=name", "--mtime=@0", "--owner=0", "--group=0"];
  await run("tar", [...flags, "-cf", archive, "-C", unpacked, ...payloadFiles]);
  return archive;
}

/** Appends the archive and a footer: its SHA-256, its length in 8 bytes, and the magic word. */
function appendPayload(binary: string, archive: string): void {
  const payload = fs.readFileSync(archive);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(payload.length));
  const sum = createHash("sha256").update(payload).digest();
  fs.appendFileSync(binary, Buffer.concat([payload, sum, length, Buffer.from(magic)]));
}
