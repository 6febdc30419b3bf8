import * as fs from "node:fs";
import * as path from "node:path";
import * as semver from "semver";
import packageJson from "../../package.json";
import { oldestGo } from "../../lab/toolchain/go";
import { addonsPluginNames, cliVersion, pluginNames, pluginVersion } from "../../lab/toolchain/versions";

const root = path.join(__dirname, "../..");
const installed = (name: string, folder = "."): { version: string } => {
  const manifest = path.join(root, folder, "node_modules", name, "package.json");
  return JSON.parse(fs.readFileSync(manifest, "utf8")) as { version: string };
};
const goMod = (module: string): string => fs.readFileSync(path.join(root, "lab/toolchain", module, "go.mod"), "utf8");

describe("versions", () => {
  test("every dependency is pinned exactly, and the pinned version is the one installed", () => {
    const pinned = Object.entries({ ...packageJson.dependencies, ...packageJson.devDependencies });
    for (const [name, version] of pinned) {
      expect(`${name} ${version}`).toMatch(/ \d+\.\d+\.\d+$/);
      expect(`${name} ${installed(name).version}`).toBe(`${name} ${version}`);
    }
  });

  test("@pulumi/command is 1.2.1: npm's latest, 4.5.0, is an old build by mistake, without CopyToRemote", () => {
    expect(packageJson.dependencies["@pulumi/command"]).toBe("1.2.1");
    const command = jest.requireActual<typeof import("@pulumi/command")>("@pulumi/command");
    expect(typeof command.remote.CopyToRemote).toBe("function");
  });

  test("the SDK matches the newest CLI that can be built, and TypeScript has the API that the SDK needs", () => {
    expect(packageJson.dependencies["@pulumi/pulumi"]).toBe("3.276.0");
    expect(packageJson.devDependencies.typescript).toMatch(/^6\.0\./);
  });

  test("the CLI's module is built at the SDK's version", () => {
    expect(cliVersion).toBe(packageJson.dependencies["@pulumi/pulumi"]);
    for (const module of ["pkg/v3", "sdk/v3"]) {
      expect(goMod("cli")).toMatch(
        new RegExp(`github.com/pulumi/pulumi/${module} v${cliVersion.replaceAll(".", "\\.")}\\s`),
      );
    }
  });

  test("the plugins are those that the npm packages need", () => {
    const askedBy = (name: string, folder?: string) => {
      const { pulumi } = installed(name, folder) as unknown as { pulumi: { name: string; version: string } };
      return [pulumi.name, pulumi.version];
    };
    const asked = ["@pulumi/command", "@muhlba91/pulumi-proxmoxve", "@pulumi/random"].map((name) => askedBy(name));
    expect(asked).toEqual(pluginNames.map((name) => [name, pluginVersion(name)]));
    const addons = [askedBy("@pulumi/kubernetes", "addons")];
    expect(addons).toEqual(addonsPluginNames.map((name) => [name, pluginVersion(name)]));
  });

  test("no module needs a newer Go than the tool chain's", () => {
    const files = fs.readdirSync(path.join(root, "lab"), { recursive: true, encoding: "utf8" });
    const modules = files.filter((file) => path.basename(file) === "go.mod");
    expect(modules.length).toBeGreaterThan(10);
    const asked = modules.map(
      (file) => /^go (\S+)$/m.exec(fs.readFileSync(path.join(root, "lab", file), "utf8"))?.[1] ?? "",
    );
    expect(asked.sort(semver.compare).at(-1)).toBe(oldestGo);
  });
});
