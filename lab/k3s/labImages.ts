import * as fs from "node:fs";
import * as path from "node:path";
import { Log } from "../support/cache";
import { run } from "../host/run";
import { goBuild } from "../toolchain/go";
import { unpackDebianPackages } from "./debianPackages";
import { Image, writeImageArchive } from "./images";
import { pauseImage, testImage } from "./versions";

/** Go module of the stand-in, which also has the pause program. */
export const standInModule = path.join(__dirname, "standin");

/**
 * Serves the pod's host name on port 8080. The shell, not httpd, is process 1: it ends at SIGTERM, so that a drained
 * pod is gone at once.
 */
const testServer = `#!/bin/sh
mkdir -p /www
hostname >/www/index.html
trap 'exit 0' TERM INT
httpd -f -p 8080 -h /www &
wait
`;

/**
 * `get HOST:PORT/PATH` prints the answer of an HTTP server. busybox's own wget is not in the image: statically linked, it
 * crashes in name resolution, even for addresses.
 */
const httpGet = `#!/bin/sh
url=\${1#http://}
printf 'GET /%s HTTP/1.0\\r\\n\\r\\n' "$(echo "$url" | cut -s -d/ -f2-)" |
  nc -w 5 "$(echo "$url" | cut -d: -f1)" "$(echo "$url" | cut -d: -f2 | cut -d/ -f1)" | sed '1,/^\\r*$/d'
`;

/** Which archives of the lab's images to write. */
export interface LabImageFiles {
  /** Archive with the pause image and the test image. */
  readonly all: string;
  /** Archive with only the test image. */
  readonly test: string;
}

/** Makes the lab's images from Debian's static busybox and a pause program of our own. */
export async function writeLabImages(files: LabImageFiles, scratch: string, log: Log): Promise<void> {
  const images = [await pause(path.join(scratch, "pause"), log), await test(path.join(scratch, "test"), scratch)];
  await writeImageArchive(files.all, images, path.join(scratch, "all"));
  await writeImageArchive(files.test, images.slice(1), path.join(scratch, "test-only"));
}

async function pause(rootfs: string, log: Log): Promise<Image> {
  fs.mkdirSync(rootfs, { recursive: true });
  await goBuild({ module: standInModule, package: "./cmd/pause", output: path.join(rootfs, "pause") }, log);
  return { name: pauseImage, rootfs, entrypoint: ["/pause"] };
}

async function test(rootfs: string, scratch: string): Promise<Image> {
  const unpacked = path.join(scratch, "busybox");
  await unpackDebianPackages(["busybox-static"], unpacked, path.join(scratch, "apt-busybox"));
  const busybox = path.join(rootfs, "bin", "busybox");
  fs.mkdirSync(path.dirname(busybox), { recursive: true });
  fs.mkdirSync(path.join(rootfs, "tmp"));
  // Not by mkdir, to whose mode the umask applies: containers that are not root write there.
  fs.chmodSync(path.join(rootfs, "tmp"), 0o1777);
  fs.copyFileSync(path.join(unpacked, "bin", "busybox"), busybox);
  const applets = (await run(busybox, ["--list"]))
    .split("\n")
    .filter((name) => name && !["busybox", "wget"].includes(name));
  for (const applet of applets) fs.symlinkSync("busybox", path.join(rootfs, "bin", applet));
  fs.writeFileSync(path.join(rootfs, "bin", "lab-test"), testServer, { mode: 0o755 });
  fs.writeFileSync(path.join(rootfs, "bin", "get"), httpGet, { mode: 0o755 });
  return { name: testImage, rootfs, entrypoint: ["/bin/lab-test"] };
}
