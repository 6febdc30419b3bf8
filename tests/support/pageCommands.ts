import * as fs from "node:fs";
import * as path from "node:path";

import type { InitLab } from "./initLab";
import { type Finished, finish } from "./lab";

const repo = path.join(__dirname, "../..");

/** The commands in a page's section, in their order, without comments. */
export function commandsOf(page: string, heading: string): string[] {
  const [, section = ""] = fs.readFileSync(path.join(repo, page), "utf8").split(`${heading}\n`);
  // A block in a list is indented.
  const blocks = [...section.split(/^## /m)[0]!.matchAll(/^ *```sh\n([^]*?)\n *```$/gm)].map(([, block = ""]) => block);
  return blocks.flatMap((block) => block.split("\n")).map((line) => line.replace(/\s+#\s.*$/, "").trim());
}

/** The commands of a section, to run one after another as a person types them. */
export class PageCommands {
  private readonly lines: string[];

  constructor(
    page: string,
    heading: string,
    private readonly world: InitLab,
  ) {
    this.lines = commandsOf(page, heading);
  }

  /** Skips commands that are not run here, and returns them. */
  next(count: number): string[] {
    return this.lines.splice(0, count);
  }

  /**
   * Runs the next command of the page, which must be this one, in the person's shell. Prompts are answered with yes, and HOST is
   * the lab's host.
   * @param values values for the page's placeholders
   */
  run(command: string, values: Readonly<Record<string, string>> = {}): Promise<Finished> {
    expect(this.next(1)).toEqual([command]);
    const { world } = this;
    const host = { "root@HOST": `root@${world.host}` };
    const words = command.split(" ").map((word) => ({ ...host, ...values })[word] ?? word);
    const env = { ...world.envAfter(), PULUMI_STACK: world.name, PULUMI_SKIP_CONFIRMATIONS: "true" };
    if (words[1] !== "proxmox-k3s") return finish(words[0]!, words.slice(1), env);
    const [name = "", ...args] = words.slice(2);
    if (name === "init") return world.init(...args.slice(1), "--yes");
    const asks = ["scale", "node", "recover"].includes(name) ? ["--yes"] : [];
    const ssh = command.includes("root@HOST") ? ["--ssh", world.ssh] : [];
    return finish(world.tsx, ["cli/main.ts", name, ...args, ...asks, ...ssh], env);
  }
}
