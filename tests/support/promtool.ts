import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { unpackDebianPackages } from "../../lab/k3s/debianPackages";
import { cached } from "../../lab/support/cache";

/** Path of Prometheus' own tool, of Debian's package. It is unpacked into the cache; nothing is installed. */
export async function ensurePromtool(): Promise<string> {
  const entry = await cached("promtool", ["bookworm"], unpackPromtool, () => {});
  return path.join(entry, "promtool");
}

async function unpackPromtool(dir: string): Promise<void> {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "promtool-"));
  try {
    await unpackDebianPackages(["prometheus"], path.join(scratch, "unpacked"), path.join(scratch, "apt"));
    fs.copyFileSync(path.join(scratch, "unpacked/usr/bin/promtool"), path.join(dir, "promtool"));
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}
