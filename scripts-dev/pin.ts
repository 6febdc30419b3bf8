/** `npm run pin -- VERSION`: records the published SHA-256 sums of a K3s release in `plan/pinned-sums.json`. */
import path from "node:path";
import { Command } from "commander";
import { K3S_RELEASES } from "../config/sections/k3s";
import { recordRelease } from "./releaseSums";

const PINS = path.join(__dirname, "../plan/pinned-sums.json");

new Command("pin")
  .description("record the published SHA-256 sums of a K3s release in plan/pinned-sums.json")
  .argument("<version>", "for example v1.36.3+k3s1")
  .option("--base-url <url>", "folder that holds a folder for each version", K3S_RELEASES)
  .action(async (version: string, { baseUrl }: { baseUrl: string }, command: Command) => {
    try {
      if (!/^v\d+\.\d+\.\d+\+k3s\d+$/.test(version))
        throw new Error(`${version} is no K3s release such as v1.36.3+k3s1`);
      const release = await recordRelease(PINS, baseUrl.replace(/\/+$/, ""), version);
      for (const [arch, sums] of Object.entries(release)) {
        for (const [file, sum] of Object.entries(sums)) process.stdout.write(`${version} ${arch} ${file} ${sum}\n`);
      }
    } catch (error) {
      command.error(`pin: ${(error as Error).message}`);
    }
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`pin: ${String(error)}\n`);
    process.exitCode = 1;
  });
