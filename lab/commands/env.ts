import * as fs from "node:fs";
import * as path from "node:path";
import { Lab, labNetwork, labPaths } from "../lab";

/** Variables that a shell needs to work against the lab with plain `pulumi`, `kubectl`, `ssh` and `curl`. */
export function labExports(lab: Lab): Record<string, string> {
  const paths = labPaths(lab.name);
  const { endpoint } = labNetwork(lab.subnet);
  const inherited = (process.env["PATH"] ?? "").split(path.delimiter);
  const first = [paths.bin, lab.toolchainBin, path.dirname(lab.node)];
  return {
    PATH: [...first, ...inherited.filter((folder) => !first.includes(folder))].join(path.delimiter),
    PULUMI_HOME: paths.pulumiHome,
    // Without the side files that a kill can leave empty (docs/operations.md).
    PULUMI_BACKEND_URL: `file://${paths.pulumiState}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE_FILE: paths.passphrase,
    PULUMI_STACK: lab.stack,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PROXMOX_VE_ENDPOINT: endpoint,
    PROXMOX_VE_API_TOKEN: fs.readFileSync(paths.apiToken, "utf8"),
    PROXMOX_K3S_HOST_SSH_KEY_FILE: paths.hostKey,
    PROXMOX_K3S_NODE_SSH_KEY_FILE: paths.nodeKey,
    KUBECONFIG: paths.kubeconfig,
    SSL_CERT_FILE: paths.caBundle,
    CURL_CA_BUNDLE: paths.caBundle,
    NODE_EXTRA_CA_CERTS: paths.caBundle,
  };
}

/** SSH would try an agent's keys before the lab's. A passphrase in the environment would override the file. */
const unset = ["SSH_AUTH_SOCK", "PULUMI_CONFIG_PASSPHRASE"];

/** The environment of a command that works against the lab. */
export function labEnv(lab: Lab): NodeJS.ProcessEnv {
  const env = { ...process.env, ...labExports(lab) };
  for (const name of unset) delete env[name];
  return env;
}

/** The same as shell commands, for `eval "$(npm run -s lab -- env)"`. */
export function shellExports(lab: Lab): string {
  const exports = Object.entries(labExports(lab)).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`,
  );
  return [...exports, `unset ${unset.join(" ")}`, ""].join("\n");
}
