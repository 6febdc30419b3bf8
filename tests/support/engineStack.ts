import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { CustomResourceOptions } from "@pulumi/pulumi";
import { type CommandError, run } from "../../lab/host/run";
import { makePulumiHome, toolchainEnv, type Toolchain } from "../../lab/toolchain/install";

/**
 * One resource of a stack's program. The program is data: a program in the test's own process would report the failures of its
 * resources to the test runner.
 *
 * Values in `args` may be `{$secret: value}`, `{$text: content}`, `{$file: path}`, `{$archive: path}` and
 * `{$output: [resource, property]}` of a resource listed before.
 */
export interface ProgramResource {
  name: string;
  /** npm package and path of the class in it: "command.remote.Command"; "dynamic.Kept" is defined in engineProgram.cjs. */
  type: string;
  args: Record<string, unknown>;
  options?: Pick<
    CustomResourceOptions,
    "additionalSecretOutputs" | "customTimeouts" | "deleteBeforeReplace" | "ignoreChanges"
  >;
}

/** A resource as the stack's state records it; secrets are encrypted. */
export interface StateResource {
  urn: string;
  type: string;
  id?: string;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
}

/**
 * A stack on the real engine and the real language host, with state, home and program in one temporary folder.
 *
 * It runs the CLI directly: the Automation API would start it four times for one update.
 */
export class EngineStack {
  private constructor(
    readonly folder: string,
    readonly env: NodeJS.ProcessEnv,
  ) {}

  /** Makes an empty stack. `env` is added to the environment of the engine, which the plugins inherit. */
  static async create(toolchain: Toolchain, env: Record<string, string> = {}): Promise<EngineStack> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "engine-stack-"));
    const home = path.join(folder, "home");
    makePulumiHome(home, toolchain.pluginsDir);
    fs.mkdirSync(path.join(folder, "state"));
    fs.symlinkSync(path.join(__dirname, "../../node_modules"), path.join(folder, "node_modules"));
    fs.copyFileSync(path.join(__dirname, "engineProgram.cjs"), path.join(folder, "index.cjs"));
    fs.writeFileSync(path.join(folder, "package.json"), "{}");
    const project = {
      name: "contract",
      main: "index.cjs",
      runtime: { name: "nodejs", options: { typescript: false } },
    };
    fs.writeFileSync(path.join(folder, "Pulumi.yaml"), JSON.stringify(project));
    const stack = new EngineStack(folder, {
      ...process.env,
      ...toolchainEnv(toolchain, home),
      PULUMI_BACKEND_URL: `file://${folder}/state`,
      PULUMI_CONFIG_PASSPHRASE: "test",
      SSH_AUTH_SOCK: "",
      ...env,
    });
    await stack.pulumi("stack", "init", "test");
    return stack;
  }

  /** Updates and returns what was printed; throws if the update fails. */
  async up(resources: readonly ProgramResource[]): Promise<string> {
    this.write(resources);
    return this.pulumi("up", "--yes", "--skip-preview", "--continue-on-error");
  }

  /** Runs an update that must fail and returns what was printed. Resources that do not depend on a failed one are still made. */
  async upFails(resources: readonly ProgramResource[]): Promise<string> {
    const outcome = await this.up(resources).catch((error: CommandError) => error);
    if (typeof outcome === "string") throw new Error(`the update did not fail:\n${outcome}`);
    return outcome.stdout + outcome.stderr;
  }

  /**
   * Updates, interrupts the update once (SIGINT) as soon as `moment` holds, and returns what was printed.
   *
   * @param onCancelling called when Pulumi prints that it cancels
   */
  async upInterrupted(
    resources: readonly ProgramResource[],
    moment: () => boolean,
    onCancelling: () => void,
  ): Promise<string> {
    this.write(resources);
    const args = ["up", "--yes", "--skip-preview", "--non-interactive"];
    const child = spawn("pulumi", args, { cwd: this.folder, env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const hear = (text: Buffer) => {
      output += text.toString();
      if (output.includes("received; cancelling")) onCancelling();
    };
    for (const stream of [child.stdout, child.stderr]) stream.on("data", hear);
    const ended = new Promise<void>((resolve, reject) => child.on("error", reject).on("close", () => resolve()));
    while (child.exitCode === null && !moment()) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    await ended;
    return output;
  }

  /** Previews and returns the engine's operation for each resource name: `create`, `same` and so on. */
  async preview(resources: readonly ProgramResource[]): Promise<Record<string, string>> {
    this.write(resources);
    const plan = JSON.parse(await this.pulumi("preview", "--json", "--show-sames")) as {
      steps: { op: string; urn: string }[];
    };
    return Object.fromEntries(plan.steps.map((step) => [nameOf(step.urn), step.op]));
  }

  /** Deletes all resources. */
  async destroy(): Promise<void> {
    await this.pulumi("destroy", "--yes", "--skip-preview");
  }

  /** The resources in the state, by name. */
  state(): Record<string, StateResource> {
    const file = path.join(this.folder, "state/.pulumi/stacks/contract/test.json");
    const { checkpoint } = JSON.parse(fs.readFileSync(file, "utf8")) as Checkpoint;
    return Object.fromEntries((checkpoint.latest?.resources ?? []).map((resource) => [nameOf(resource.urn), resource]));
  }

  /** Removes the folder and everything in it, even if the state still has resources. */
  dispose(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private write(resources: readonly ProgramResource[]): void {
    fs.writeFileSync(path.join(this.folder, "resources.json"), JSON.stringify(resources));
  }

  private pulumi(...args: string[]): Promise<string> {
    return run("pulumi", [...args, "--non-interactive"], { cwd: this.folder, env: this.env });
  }
}

/** The part of a `file://` backend's stack file that is read here. */
interface Checkpoint {
  checkpoint: { latest?: { resources?: StateResource[] } };
}

function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}
