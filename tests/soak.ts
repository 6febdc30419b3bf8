import { Command, InvalidArgumentError, Option } from "commander";
import { withCompileCache } from "./support/compileCache";
import { type GameName, games, playAll } from "./support/sequences/playAll";

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("a whole number is needed");
  return Number(text);
}

const number = (flags: string, description: string) => new Option(flags, description).argParser(wholeNumber);

interface Options {
  readonly game: GameName;
  readonly runs: number;
  readonly seed: number;
  readonly parallel: number;
  readonly shrink: boolean;
}

async function main({ game, runs, seed, parallel, shrink }: Options): Promise<void> {
  const began = Date.now();
  const seeds = Array.from({ length: runs }, (_, at) => seed + at);
  console.log(`${runs} sequences of ${game} from seed ${seed}`);
  const { failed, counts } = await playAll({
    ...{ game, seeds, parallel, shrink },
    onEnd: ({ seed: each, seconds, failure }) =>
      console.log(`seed ${each}: ${Math.round(seconds)} s${failure === undefined ? "" : `\n${failure}\n`}`),
  });
  const time = `${Math.round((Date.now() - began) / 1000)} s`;
  console.log(["", ...counts.lines].join("\n"));
  console.log(`\n${runs - failed.length} of ${runs} sequences kept every promise (seed ${seed}, ${time})`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

void new Command("soak")
  .description("Plays random sequences of changes and faults on the real engine, machines simulated.")
  .addOption(new Option("--game <name>", "which changes and faults").choices(games).default("workers"))
  .addOption(number("--runs <n>", "number of sequences").env("RUNS").default(300))
  .addOption(
    number("--seed <n>", "seed of the first sequence; each further one has the next number")
      .env("SEED")
      .default(Date.now() % 1_000_000_000, "a new one"),
  )
  .addOption(number("--parallel <n>", "sequences at a time").default(2))
  .option("--shrink", "look for the shortest sequence that fails, too", false)
  .action((options: Options) => withCompileCache(() => main(options)))
  .parseAsync();
