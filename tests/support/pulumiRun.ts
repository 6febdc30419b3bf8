import { LocalWorkspace, type PulumiFn, type Stack } from "@pulumi/pulumi/automation";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { ensureToolchain, makePulumiHome, toolchainEnv } from "../../lab/toolchain/install";

/** A stack on the real engine and the real provider plugins, with its state in its own folder. */
export class PulumiRun {
  private constructor(
    private readonly dir: string,
    readonly stack: Stack,
    private readonly program: { current: PulumiFn },
  ) {}

  /** @param env for the engine and its plugins, for example `PROXMOX_VE_*` */
  static async create(name: string, env: Record<string, string>): Promise<PulumiRun> {
    const toolchain = await ensureToolchain((line) => console.error(line));
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), "pulumi-run-"));
    const home = path.join(dir, "home");
    makePulumiHome(home, toolchain.pluginsDir);
    const environment: Record<string, string> = {
      ...toolchainEnv(toolchain, home),
      PULUMI_CONFIG_PASSPHRASE: "test",
      ...env,
    };
    // The Automation API finds the CLI through the PATH of this process.
    process.env["PATH"] = environment["PATH"];
    const program: { current: PulumiFn } = { current: async () => ({}) };
    fs.mkdirSync(path.join(dir, "state"));
    const stack = await LocalWorkspace.createStack(
      { stackName: name, projectName: "client", program: () => program.current() },
      {
        workDir: dir,
        pulumiHome: home,
        envVars: environment,
        projectSettings: { name: "client", runtime: "nodejs", backend: { url: `file://${dir}/state` } },
      },
    );
    return new PulumiRun(dir, stack, program);
  }

  /** Runs `pulumi up` with a program and returns the number of operations by kind, and everything printed. */
  async up(program: PulumiFn): Promise<{ changes: Record<string, number>; output: string }> {
    this.program.current = program;
    let output = "";
    const { summary } = await this.stack.up({ onOutput: (text) => (output += text), color: "never" });
    return { changes: summary.resourceChanges ?? {}, output };
  }

  /** Runs an `up` that must fail, and returns what was printed. */
  async failingUp(program: PulumiFn): Promise<string> {
    this.program.current = program;
    let output = "";
    await this.stack.up({ onOutput: (text) => (output += text), color: "never" }).then(
      () => Promise.reject(new Error(`pulumi up succeeded:\n${output}`)),
      () => undefined,
    );
    return output;
  }

  /** Imports an existing object with `pulumi import` and returns its entry in the state. */
  async import(type: string, id: string): Promise<{ id?: string; outputs?: object } | undefined> {
    // An import needs the language host of a program in a folder, not of an inline one.
    const modules = path.join(this.dir, "node_modules");
    if (!fs.existsSync(modules)) fs.symlinkSync(path.join(__dirname, "../../node_modules"), modules);
    await this.stack.import({ resources: [{ type, name: "imported", id }], protect: false, generateCode: false });
    const { deployment } = await this.stack.exportStack();
    return (deployment.resources as { type: string; id?: string; outputs?: object }[]).find(
      (resource) => resource.type === type,
    );
  }

  async destroy(): Promise<void> {
    await this.stack.destroy({ color: "never" });
  }

  /** Removes all files of the stack from this machine. */
  dispose(): void {
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}
