import * as fs from "node:fs";
import * as path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { Lab } from "../tests/support/lab";
import type { PulumiResult } from "../tests/support/pulumiResult";
import { clusterOf, readLabStack } from "./labStack";
import { timePreview } from "./previews";
import { type LargeUp, timeLargeUp } from "./simulated";
import { stepTable } from "./steps";
import { machine, median, time, type Timing } from "./timing";

/** `npm run bench`: docs/performance.md explains what it measures, and how. */

const GUESTS = [100, 102, 103];
const PREVIEWS = [3, 30, 100];
/** Sizes of an `up` with simulated machines. Each is measured once. */
const LARGE = [30, 100];
const [BY_HAND, FIRST, SECOND] = ["by hand", "pulumi up", "second up"];

/** The results by name, with one value per round. */
const results = new Map<string, Timing[]>();

/** Where the seconds of the last `pulumi up` went. */
let steps: string[] = [];

function note(what: string, timing: Timing): void {
  results.set(what, [...(results.get(what) ?? []), timing]);
  console.log(`  ${what.padEnd(24)} ${format(timing)}`);
}

async function main(rounds: number, name: string): Promise<void> {
  const lab = new Lab(name);
  try {
    await lab.cli("down");
    await lab.up();
    for (let round = 1; round <= rounds; round++) {
      console.log(`round ${round} of ${rounds}`);
      // They take turns in running first, so that neither always profits from the page cache.
      const turns = [runByHand, runProgram];
      for (const turn of round % 2 === 1 ? turns : turns.reverse()) await turn(lab);
      for (const nodes of PREVIEWS) note(`preview of ${nodes} nodes`, await timePreview(lab, nodes));
    }
    const large: [number, LargeUp][] = [];
    for (const nodes of LARGE) large.push([nodes, await timeLargeUp(nodes)]);
    summarize(rounds);
    for (const [nodes, up] of large) console.log(formatLarge(nodes, up));
  } finally {
    await lab.cli("down");
  }
}

async function runByHand(lab: Lab): Promise<void> {
  const { network, version, ssh } = clusterOf(readLabStack(lab));
  const words = [network.gateway.replace(/\.\d+$/, ""), version, ssh.authorizedKeys[0]!];
  const command = `sh -s ${words.map((word) => `'${word}'`).join(" ")}`;
  const script = fs.readFileSync(path.join(__dirname, "by-hand.sh"), "utf8");
  note(BY_HAND, await time(() => lab.hostWithInput(command, script)));
  await expectReady(lab);
  await lab.host(GUESTS.map((vmid) => `pct stop ${vmid}; pct destroy ${vmid}`).join("; "));
}

async function runProgram(lab: Lab): Promise<void> {
  const up = ["up", "--yes", "--skip-preview"];
  note(FIRST, await time(async () => (steps = stepTable(await firstUp(lab)))));
  await expectReady(lab);
  note(SECOND, await time(() => lab.pulumiOk(...up, "--expect-no-changes")));
  await lab.pulumiOk("destroy", "--yes", "--skip-preview");
}

async function firstUp(lab: Lab): Promise<PulumiResult> {
  const result = await lab.pulumiResult("up", "--yes", "--skip-preview");
  if (result.code !== 0) throw new Error(`pulumi up ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  return result;
}

/** Both must have created the same: three nodes, all Ready. */
async function expectReady(lab: Lab): Promise<void> {
  const { nodes } = JSON.parse((await lab.cli("status", "--json")).stdout) as { nodes: { ready: boolean }[] };
  const ready = nodes.filter((node) => node.ready).length;
  if (ready !== GUESTS.length) throw new Error(`${ready} nodes are Ready, not ${GUESTS.length}`);
}

function summarize(rounds: number): void {
  console.log(
    `\n${machine()}\nmedians of ${rounds} rounds; in parentheses each value, with the load average at its start`,
  );
  for (const [what, timings] of results) {
    const middle = median(timings.map(({ seconds }) => seconds)).toFixed(1);
    console.log(`  ${what.padEnd(24)} ${middle.padStart(6)} s   (${timings.map(format).join(", ")})`);
  }
  const ratios = results.get(FIRST)!.map(({ seconds }, at) => seconds / results.get(BY_HAND)![at]!.seconds);
  const all = ratios.map((ratio) => ratio.toFixed(2)).join(", ");
  console.log(`\npulumi up over by hand: ${median(ratios).toFixed(2)} (${all}); the goal is 1.5`);
  console.log(
    `\nwhere the seconds of the last pulumi up went: of each step, the slowest resource\n${steps.join("\n")}\n`,
  );
}

function formatLarge(nodes: number, { seconds, load, slowest, engine, program }: LargeUp): string {
  const ratio = (seconds / slowest).toFixed(1);
  return [
    `up of ${nodes} simulated nodes: ${format({ seconds, load })}; ${ratio} times the ${slowest} s of the slowest node's steps;`,
    `  peak memory: engine ${engine.toFixed(0)} MiB, program ${program.toFixed(0)} MiB`,
  ].join("\n");
}

function format({ seconds, load }: Timing): string {
  return `${seconds.toFixed(1)} s at ${load.toFixed(1)}`;
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("a number from 1 is needed");
  return Number(text);
}

void new Command("bench")
  .description("Compares the time of the program with the same work by hand, in its own lab, and times previews.")
  .option("--rounds <n>", "how many rounds to measure", wholeNumber, 3)
  .option("--name <name>", "the lab's name; the lab is removed at the end", "bench")
  .action(({ rounds, name }: { rounds: number; name: string }) => main(rounds, name))
  .parseAsync()
  .catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
