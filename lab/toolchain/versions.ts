import addonsJson from "../../addons/package.json";
import packageJson from "../../package.json";

/** The resource plugins of the tool chain and the npm packages that ask for them. */
const npmPackages = {
  command: "@pulumi/command",
  proxmoxve: "@muhlba91/pulumi-proxmoxve",
  random: "@pulumi/random",
} as const;

/** The plugins of the add-ons' program, which a lab has only with `--addons`. */
const addonsPackages = { kubernetes: "@pulumi/kubernetes" } as const;

/** Name of a resource plugin, as in `pulumi-resource-<name>`. */
export type PluginName = keyof typeof npmPackages | keyof typeof addonsPackages;

export const pluginNames = Object.keys(npmPackages) as PluginName[];
export const addonsPluginNames = Object.keys(addonsPackages) as PluginName[];

/** Version of the Pulumi CLI, without "v": the version of the SDK, which package.json pins. */
export const cliVersion: string = packageJson.dependencies["@pulumi/pulumi"];

const pinned: Readonly<Record<string, string>> = { ...addonsJson.dependencies, ...packageJson.dependencies };

/** Version of a resource plugin, without "v": the SDK asks for the plugin of exactly its own version. */
export function pluginVersion(name: PluginName): string {
  return pinned[{ ...npmPackages, ...addonsPackages }[name]]!;
}
