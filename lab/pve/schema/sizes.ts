const units = ["", "K", "M", "G", "T"];

/** Bytes of `8G`, `512M`, `10GiB`, `1024`; undefined if it is no size. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMGT](?:iB)?)?$/.exec(text) ?? [];
  if (!number) return undefined;
  return Math.trunc(Number(number) * 1024 ** units.indexOf(unit?.[0] ?? ""));
}

/** The shortest exact form: 8589934592 → `8G`, 1536 → `1536`. */
export function formatSize(bytes: number): string {
  let value = Math.trunc(bytes);
  let unit = 0;
  while (unit < units.length - 1 && value !== 0 && value % 1024 === 0) {
    value /= 1024;
    unit += 1;
  }
  return `${value}${units[unit]}`;
}
