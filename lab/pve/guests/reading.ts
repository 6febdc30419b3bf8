import { failure, parameterError } from "../errors";
import type { GuestConfig, GuestConfigFile } from "../guestConfig";
import type { Params, ParameterTable } from "../schema/schema";

// How the API shows the configuration of guests of any kind.

/** The section that a call asks for: a snapshot, the current values (`current`), or these with pending changes. */
export function readSection(
  file: GuestConfigFile,
  { snapshot, current }: Params,
  withPending: (file: GuestConfigFile) => GuestConfig,
): GuestConfig {
  if (snapshot && current === "1") {
    const problem = "cannot use 'snapshot' parameter with 'current'";
    throw parameterError({ snapshot: problem, current: problem });
  }
  if (!snapshot) return current === "1" ? file : withPending(file);
  const found = file.snapshots.get(snapshot);
  if (!found) throw failure(`snapshot '${snapshot}' does not exist`);
  return found;
}

/** Options as the API returns them: numbers and flags are JSON numbers, a `number` such as `cpulimit` stays text. */
export function typedOptions(
  table: ParameterTable,
  options: ReadonlyMap<string, string>,
): Record<string, string | number> {
  return Object.fromEntries([...options].map(([key, value]) => [key, typedValue(table, key, value)]));
}

function typedValue(table: ParameterTable, key: string, value: string): string | number {
  switch (table[key]?.type) {
    case "boolean":
      if (/^(1|on|yes|true)$/i.test(value)) return 1;
      return /^(0|off|no|false)$/i.test(value) ? 0 : value;
    case "integer":
      return /^\d+$/.test(value) ? Number(value) : value;
    default:
      return value;
  }
}

/** Each option with its value, its pending value and whether the next start removes it. */
export function pendingEntries(
  file: GuestConfigFile,
  show: (key: string, value: string) => string | undefined,
): Record<string, unknown>[] {
  const visible = (options: ReadonlyMap<string, string>) =>
    [...options].flatMap(([key, value]) => {
      const text = show(key, value);
      return text === undefined ? [] : [[key, text] as const];
    });
  const queued = new Map(visible(file.pending.options));
  const deletions = new Set(file.pending.deletions);
  return [
    ...visible(file.options).map(([key, value]) => ({
      ...{ key, value },
      ...(queued.has(key) && { pending: queued.get(key) }),
      ...(deletions.has(key) && { delete: 1 }),
    })),
    ...[...queued].filter(([key]) => !file.options.has(key)).map(([key, value]) => ({ key, pending: value })),
  ];
}
