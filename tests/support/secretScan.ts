import * as fs from "node:fs";

/** A secret and what to call it in a finding; the value itself is never printed. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

/** Names of the secrets that stand in a text, also without their line breaks or in base64. */
export function secretsIn(text: string, secrets: readonly Secret[]): string[] {
  return secrets.filter(({ value }) => forms(value).some((form) => text.includes(form))).map(({ name }) => name);
}

function forms(value: string): string[] {
  const trimmed = value.trim();
  return [trimmed, Buffer.from(trimmed).toString("base64").replace(/=+$/, ""), JSON.stringify(trimmed).slice(1, -1)];
}

/** Lines of a private key long enough to be its own; a PEM is found in parts too. */
export function keyLines(name: string, pem: string): Secret[] {
  return pem
    .split("\n")
    .filter((line) => line.length >= 40 && !line.startsWith("-----"))
    .slice(1, -1)
    .map((value) => ({ name, value }));
}

/**
 * Watches what every process of this machine shows to others: its arguments and its environment. Containers' processes
 * are among them. Processes that end between two looks are missed; a look takes some milliseconds.
 */
export class ProcessWatch {
  private readonly seen = new Map<string, string>();
  private running = true;
  private readonly loop: Promise<void>;
  looks = 0;

  /** @param where variables in which the person put a secret: they are what is meant to hold it */
  constructor(private readonly where: readonly string[]) {
    this.loop = this.run();
  }

  /** Every distinct text seen, by where it was seen. */
  async stop(): Promise<ReadonlyMap<string, string>> {
    this.running = false;
    await this.loop;
    return this.seen;
  }

  private async run(): Promise<void> {
    while (this.running) {
      for (const pid of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) this.look(pid);
      this.looks += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  private look(pid: string): void {
    try {
      const argv = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const environment = fs.readFileSync(`/proc/${pid}/environ`, "utf8");
      const title = argv.replaceAll("\0", " ").slice(0, 80);
      this.seen.set(argv, `arguments of ${title}`);
      const own = environment.split("\0").filter((pair) => !this.where.includes(pair.split("=", 1)[0] ?? ""));
      this.seen.set(own.join("\0"), `environment of ${title}`);
    } catch {
      // It ended.
    }
  }
}
