/**
 * Sizes and durations in the config.
 *
 * Proxmox VE counts in binary units and calls them by their decimal names: its "4 GB" of memory are 4096 MiB and its "32 GB"
 * disk has 32 GiB. We follow it, so `GB` and `GiB` mean the same here, as do `MB` and `MiB`.
 */

const MIB_PER_UNIT: Readonly<Record<string, number>> = {
  MB: 1,
  MIB: 1,
  GB: 1024,
  GIB: 1024,
  TB: 1024 ** 2,
  TIB: 1024 ** 2,
};

/** Reads "4GB", "512 MiB" or "1.5GiB" as whole MiB; `undefined` if it is not a size or not a whole number of MiB. */
export function parseMemoryMiB(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B)$/i.exec(text.trim());
  const factor = MIB_PER_UNIT[match?.[2]?.toUpperCase() ?? ""];
  if (!match || factor === undefined) return undefined;
  const mebibytes = Number(match[1]) * factor;
  return Number.isSafeInteger(mebibytes) ? mebibytes : undefined;
}

/** Reads "32GB" or "1TiB" as whole GiB, because Proxmox VE sizes disks in whole GiB; `undefined` if it is not one. */
export function parseDiskGiB(text: string): number | undefined {
  const mebibytes = parseMemoryMiB(text);
  return mebibytes !== undefined && mebibytes % 1024 === 0 ? mebibytes / 1024 : undefined;
}

/** Reads "90s", "10m", "2h" or "1h30m" as seconds; `undefined` if it is not a duration. */
export function parseDurationSeconds(text: string): number | undefined {
  const match = /^(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (!match) return undefined;
  const [hours, minutes, seconds] = match.slice(1).map((digits) => Number(digits ?? 0));
  return (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0);
}
