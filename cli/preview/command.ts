import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { pulumi } from "../pulumi";
import { clusterIn, formerByFile, formerByState, stackFile } from "./former";
import { renderJson, renderMarkdown, renderText } from "./render";
import { reviewOfConfig } from "./review";

interface Options {
  readonly stack?: string;
  readonly from?: string;
  readonly markdown?: boolean;
  readonly json?: boolean;
}

/** `proxmox-k3s preview`: what an `up` would do to each node, for the reviewer of a change. */
export const previewCommand = new Command("preview")
  .description(
    "Say what pulumi up would do to each node, in its order: why, what it disturbs and for how long at most, and what " +
      "cannot be undone. Needs no Proxmox VE, no cluster and no secret. The exit code is 1 if the change is refused.",
  )
  .option("--stack <name>", "the stack to preview (default: the selected one)")
  .option("--from <file>", "compare with this stack file, in place of the stack's state")
  .option("--markdown", "print it as Markdown")
  .option("--json", "print it as JSON")
  .addHelpText("after", `\nExample:\n  ${ownCommand("preview --stack mine")}`)
  .action(async ({ stack, from, markdown, json }: Options) => {
    const name = stack ?? (await pulumi(["stack", "--show-name"])).trim();
    const former = from === undefined ? await formerByState(name) : formerByFile(from);
    const review = reviewOfConfig(former, name, clusterIn(stackFile(name)));
    process.stdout.write(json ? renderJson(review) : markdown ? renderMarkdown(review) : renderText(review));
    process.exitCode = review.outcome === "refused" ? 1 : 0;
  });
