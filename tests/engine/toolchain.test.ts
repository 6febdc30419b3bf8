/** Requirements on the rest of the tool chain: random and dynamic plugins, proxmoxve's schema, the end of the language host. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import type { CommandError } from "../../lab/host/run";
import { ensureToolchain, type Toolchain } from "../../lab/toolchain/install";
import { pluginVersion } from "../../lab/toolchain/versions";
import { EngineStack, type ProgramResource } from "../support/engineStack";

let toolchain: Toolchain;
let stack: EngineStack;

beforeAll(async () => {
  toolchain = await ensureToolchain(console.error);
}, 1_800_000);

beforeEach(async () => {
  stack = await EngineStack.create(toolchain);
}, 30_000);

afterEach(() => stack.dispose());

jest.setTimeout(120_000);

/** A secret in a stack's state is an envelope with the ciphertext. */
const isEncrypted = (value: unknown): boolean => typeof value === "object" && value !== null && "ciphertext" in value;

describe("random", () => {
  const program = (keeper: string): ProgramResource[] => [
    { name: "id", type: "random.RandomId", args: { byteLength: 8, prefix: "p-", keepers: { keeper } } },
    { name: "password", type: "random.RandomPassword", args: { length: 40, special: false, keepers: { keeper } } },
    {
      name: "string",
      type: "random.RandomString",
      args: { length: 6, upper: false, number: false, minSpecial: 5, overrideSpecial: "_" },
    },
  ];

  test("values are made once, kept, and made again only for a changed keeper", async () => {
    await stack.up(program("one"));
    const made = stack.state();
    const id = made["id"]?.outputs as { hex: string; dec: string; b64Std: string; b64Url: string };
    const bytes = Buffer.from(id.hex.slice("p-".length), "hex");
    expect(bytes).toHaveLength(8);
    expect(id).toMatchObject({
      dec: `p-${BigInt(`0x${bytes.toString("hex")}`)}`,
      b64Std: `p-${bytes.toString("base64")}`,
      b64Url: `p-${bytes.toString("base64url")}`,
    });
    expect(made["id"]?.id).toBe(bytes.toString("base64url"));

    expect(made["password"]?.id).toBe("none");
    expect(isEncrypted(made["password"]?.outputs["result"])).toBe(true);
    expect(isEncrypted(made["password"]?.outputs["bcryptHash"])).toBe(true);
    // Defaults are in the outputs, not in the inputs.
    expect(made["password"]?.inputs).not.toHaveProperty("upper");
    expect(made["password"]?.outputs).toMatchObject({ upper: true, numeric: true, number: true, minLower: 0 });

    const text = String(made["string"]?.outputs["result"]);
    expect(text).toMatch(/^[a-z_]{6}$/);
    expect(text.replace(/[^_]/g, "").length).toBeGreaterThanOrEqual(5);
    expect(made["string"]).toMatchObject({ id: text, outputs: { numeric: false, number: false } });

    expect(await stack.preview(program("one"))).toMatchObject({ id: "same", password: "same", string: "same" });
    await stack.up(program("two"));
    const again = stack.state();
    expect(again["id"]?.id).not.toBe(made["id"]?.id);
    expect(again["password"]?.outputs["result"]).not.toEqual(made["password"]?.outputs["result"]);
    expect(again["string"]?.id).toBe(made["string"]?.id);
  });

  const impossible: [message: string, type: string, args: Record<string, unknown>][] = [
    ["must be at least 4", "random.RandomPassword", { length: 3, minUpper: 2, minNumeric: 2 }],
    [
      "at least one of",
      "random.RandomString",
      { length: 3, upper: false, lower: false, numeric: false, special: false },
    ],
    ["must be at least 1", "random.RandomId", { byteLength: 0 }],
  ];
  test.each(impossible)("impossible inputs are refused: %s", async (message, type, args) => {
    expect(await stack.upFails([{ name: "impossible", type, args }])).toContain(message);
  });
});

describe("proxmoxve", () => {
  test("the bridge has every property of the npm package's resources, with the same names", () => {
    const folder = path.join(toolchain.pluginsDir, `resource-proxmoxve-v${pluginVersion("proxmoxve")}`);
    const schema = JSON.parse(fs.readFileSync(path.join(folder, "schema.json"), "utf8")) as {
      resources: Record<string, { properties: Record<string, unknown> }>;
    };
    const sdk = path.join(__dirname, "../../node_modules/@muhlba91/pulumi-proxmoxve");
    for (const [token, { properties }] of Object.entries(schema.resources)) {
      // "proxmoxve:index/vmLegacy:VmLegacy" is vmLegacy.js, "proxmoxve:download/file:File" is download/file.js.
      const module = (token.split(":")[1] ?? "").replace(/^index\//, "");
      const source = fs.readFileSync(path.join(sdk, `${module}.js`), "utf8");
      const names = [...source.matchAll(/resourceInputs\["(\w+)"\]/g)].map(([, name]) => name);
      expect([module, ...Object.keys(properties).sort()]).toEqual([module, ...[...new Set(names)].sort()]);
    }
    expect(Object.keys(schema.resources)).toContain("proxmoxve:index/containerLegacy:ContainerLegacy");
  });
});

describe("dynamic providers", () => {
  test("a failed check stops a preview and an up before anything that depends on it; a destroy does not check", async () => {
    const journal = path.join(stack.folder, "journal");
    const timesAsked = () => fs.readFileSync(journal, "utf8").split("\n").length - 1;
    const program = (values: Record<string, string>): ProgramResource[] => [
      { name: "kept", type: "dynamic.Kept", args: { ...values, journal } },
      {
        name: "follows",
        type: "random.RandomId",
        args: { byteLength: 8, keepers: { one: { $output: ["kept", "one"] } } },
      },
    ];
    // Nothing exists yet that could change. The engine would warn if it found the plugin next to another CLI.
    expect(await stack.up(program({ one: "1", two: "2" }))).not.toContain("warning:");
    const made = stack.state();
    expect(await stack.preview(program({ one: "1", two: "2" }))).toMatchObject({ kept: "same", follows: "same" });

    const changed = program({ one: "11", two: "22" });
    const refusals = ["property one value {11} has a problem: cannot change from 1"];
    refusals.push("property two value {22} has a problem: cannot change from 2");
    const preview = await stack.preview(changed).then(
      () => "",
      (error: CommandError) => error.stdout + error.stderr,
    );
    const up = await stack.upFails(changed);
    for (const refusal of refusals) for (const printed of [preview, up]) expect(printed).toContain(refusal);
    expect(stack.state()).toEqual(made);

    const asked = timesAsked();
    await stack.destroy();
    expect(timesAsked()).toBe(asked);
    expect(stack.state()).not.toHaveProperty("kept");
  });
});

describe("the language host", () => {
  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  const eventually = async <T>(probe: () => T | undefined): Promise<T> => {
    for (const end = Date.now() + 20_000; Date.now() < end;) {
      const found = probe();
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`not seen within 20 s: ${probe.toString()}`);
  };

  test.each(["SIGINT", "SIGKILL"] as const)("ends with its program when the engine gets %s", async (signal) => {
    const pidFile = path.join(stack.folder, "pids");
    fs.writeFileSync(
      path.join(stack.folder, "index.cjs"),
      `require("node:fs").writeFileSync(${JSON.stringify(pidFile)}, process.ppid + " " + process.pid + "\\n");
       setInterval(() => {}, 1000); module.exports = new Promise(() => {});`,
    );
    const engine = spawn("pulumi", ["preview", "--non-interactive"], {
      cwd: stack.folder,
      env: stack.env,
      stdio: "ignore",
    });
    const pids = await eventually(() => {
      const text = fs.existsSync(pidFile) ? fs.readFileSync(pidFile, "utf8") : "";
      return text.endsWith("\n") ? text.trim().split(" ").map(Number) : undefined;
    });
    expect(pids).toHaveLength(2);
    expect(pids.every(isAlive)).toBe(true);
    engine.kill(signal);
    await eventually(() => !pids.some(isAlive));
  });
});
