import path from "node:path";
import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { K3S_RELEASES } from "../../config/sections/k3s";
import { recordRelease } from "./releaseSums";

const PINS = path.join(__dirname, "../../plan/pinned-sums.json");

/** `proxmox-k3s pin`: records the published SHA-256 sums of a K3s release in `plan/pinned-sums.json`. */
export const pinCommand = new Command("pin")
  .description("Record the published SHA-256 sums of a K3s release in plan/pinned-sums.json.")
  .argument("<version>", "K3s version, v1.36.3+k3s1")
  .option("--base-url <url>", "URL of the folder that has one folder per version", K3S_RELEASES)
  .addHelpText("after", `\nExample:\n  ${ownCommand("pin v1.36.3+k3s1")}`)
  .action(async (version: string, { baseUrl }: { baseUrl: string }) => {
    if (!/^v\d+\.\d+\.\d+\+k3s\d+$/.test(version))
      throw new Error(`${version} is not a K3s release such as v1.36.3+k3s1`);
    // A recorded sum is trusted later, even if the files come over http.
    if (!baseUrl.startsWith("https://"))
      throw new Error("--base-url must be https, because the recorded sums are trusted later");
    const release = await recordRelease(PINS, baseUrl.replace(/\/+$/, ""), version);
    for (const [arch, sums] of Object.entries(release))
      for (const [file, sum] of Object.entries(sums ?? {})) process.stdout.write(`${version} ${arch} ${file} ${sum}\n`);
  });
