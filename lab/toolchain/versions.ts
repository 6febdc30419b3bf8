import packageJson from "../../package.json";

/** The resource plugins of the tool chain and the npm packages that ask for them. */
const npmPackages = {
  command: "@pulumi/command",
  proxmoxve: "@muhlba91/pulumi-proxmoxve",
  random: "@pulumi/random",
} as const;

/** Name of a resource plugin, as in `pulumi-resource-<name>`. */
export type PluginName = keyof typeof npmPackages;

export const pluginNames = Object.keys(npmPackages) as PluginName[];

/** Version of the Pulumi CLI, without "v": that of the SDK, which package.json pins. */
export const cliVersion: string = packageJson.dependencies["@pulumi/pulumi"];

/** Version of a resource plugin, without "v": the SDK asks for the plugin of exactly its own version. */
export function pluginVersion(name: PluginName): string {
  return packageJson.dependencies[npmPackages[name]];
}
