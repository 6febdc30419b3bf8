import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

import { quote } from "../../remote/script";

/** A command at a pseudo-terminal, made by `script` of util-linux, and a person who reads and types. */
export class Terminal {
  private shown = "";
  private readUpTo = 0;
  private code?: number | null;
  private readonly child: ChildProcessWithoutNullStreams;
  private look = (): void => {};

  constructor(command: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
    const args = ["--quiet", "--return", "--command", command.map(quote).join(" "), "/dev/null"];
    this.child = spawn("script", args, { ...options, stdio: "pipe" });
    this.child.stdout.on("data", (data: Buffer) => {
      this.shown += data.toString();
      this.look();
    });
    this.child.on("close", (code) => {
      this.code = code;
      this.look();
    });
  }

  /** Waits until the terminal shows a text after the last one that was read. @throws Error if the command ends before */
  shows(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.look = () => {
        const at = this.shown.indexOf(text, this.readUpTo);
        if (at >= 0) this.readUpTo = at + text.length;
        if (at >= 0) resolve();
        else if (this.code !== undefined) reject(new Error(`it ended, and did not show "${text}":\n${this.shown}`));
      };
      this.look();
    });
  }

  /** Waits for a question, then types an answer. */
  async answer(question: string, keys: string): Promise<void> {
    await this.shows(question);
    this.child.stdin.write(keys);
  }

  /** @returns the exit code, and everything that was shown */
  end(): Promise<{ code: number | null; shown: string }> {
    return new Promise((resolve) => {
      this.look = () => {
        if (this.code !== undefined) resolve({ code: this.code, shown: this.shown });
      };
      this.look();
    });
  }
}

/** Keys of a terminal. */
export const ENTER = "\r";
export const CTRL_C = "\x03";
