import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { ensurePackages } from "../../lab/host/packages";

/** Debian's Nix. It only parses and evaluates here; it builds nothing. */
export const ensureNix = (): Promise<void> =>
  ensurePackages(() => {}, [{ name: "nix-bin", command: "nix-instantiate" }]);

function nix(args: readonly string[], input = ""): string {
  const { stdout, stderr, status } = spawnSync("nix-instantiate", ["--store", "dummy://", ...args], {
    input,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** @throws Error with Nix's message and the line, if the text is not valid Nix */
export const parseNix = (text: string): string => nix(["--parse", "-"], text);

/** The value of an expression. `module` is the path of a file with `text`, for `import`. */
export function evalNix(expression: (module: string) => string, text = "", args: readonly string[] = []): unknown {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nix-"));
  try {
    const module = path.join(folder, "module.nix");
    fs.writeFileSync(module, text);
    fs.writeFileSync(path.join(folder, "config.yaml"), "");
    return JSON.parse(nix(["--eval", "--strict", "--json", ...args, "-E", expression(module)])) as unknown;
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
