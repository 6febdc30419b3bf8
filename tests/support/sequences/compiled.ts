import * as esbuild from "esbuild";
import * as fs from "node:fs";
import * as path from "node:path";
import { type Homelab, PROGRAM_FOLDERS } from "../homelab";

/**
 * Turns a world's copy of the program into JavaScript: half of an `up` without changes is the compilation of the same
 * files again. The program is the same but for that; other tests run it as it is written.
 */
export function compileProgram(lab: Homelab): void {
  const folder = path.dirname(lab.stackFile);
  const sources = fs.globSync(`{index.ts,{${PROGRAM_FOLDERS.join(",")}}/**/*.ts}`, { cwd: folder });
  esbuild.buildSync({
    ...{ absWorkingDir: folder, entryPoints: sources, outdir: ".", outbase: "." },
    ...{ format: "cjs", platform: "node", target: "node22" },
  });
  for (const file of sources) fs.rmSync(path.join(folder, file));
  const project = path.join(folder, "Pulumi.yaml");
  const text = fs.readFileSync(project, "utf8");
  const compiled = text.replace("typescript: true", "typescript: false").replace("main: index.ts", "main: index.js");
  fs.writeFileSync(project, compiled);
}
