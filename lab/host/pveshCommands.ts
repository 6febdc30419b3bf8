import { parseOptions } from "./cliOptions";
import type { CallApi } from "./pctApi";

/*
 * The lab's `pvesh`: the API as root@pam from the Proxmox host's shell. Its only output format is JSON, as
 * PVE::CLIFormatter writes it: one line, keys sorted.
 */

const methods: Readonly<Record<string, string>> = { get: "GET", create: "POST", set: "PUT", delete: "DELETE" };

interface PveshWorld {
  readonly callApi: CallApi;
  readonly print: (line: string) => void;
}

export async function runPvesh(
  { callApi, print }: PveshWorld,
  [command = "", ...args]: readonly string[],
): Promise<void> {
  const method = Object.hasOwn(methods, command) ? methods[command] : undefined;
  if (!method)
    throw new Error(`ERROR: unknown command 'pvesh ${command}'\nUSAGE: pvesh ${Object.keys(methods).join("|")}`);
  const { api_path: path, "output-format": format, ...parameters } = parseOptions(args, ["api_path"]);
  if (format !== "json") throw new Error("the lab's pvesh has only --output-format json");
  // All that follows `content/` is one volume id, which may have slashes (PVE::API2::Storage::Status).
  const encoded = path!.replace(/(?<=\/content\/).+$/, encodeURIComponent);
  const data = await callApi(method, encoded, parameters);
  if (data !== null) print(JSON.stringify(data, sortedKeys));
}

function sortedKeys(_: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
