/** Architectures that K3s and Proxmox VE share, by Debian's names. */
export type Architecture = "amd64" | "arm64";
export const ARCHITECTURES: readonly Architecture[] = ["amd64", "arm64"];

/** Hex SHA-256 sums by architecture. */
export type Sums = Readonly<Partial<Record<Architecture, string | undefined>>>;

/** Name of the binary in a K3s release. */
export const binaryName = (arch: Architecture): string => (arch === "amd64" ? "k3s" : `k3s-${arch}`);

/** Name of the air-gap image archive in a K3s release. */
export const imagesName = (arch: Architecture): string => `k3s-airgap-images-${arch}.tar`;

/** Where the sum of a download comes from: the stack's config, the repository's pins, or the release's own list. */
export type SumOrigin = "config" | "pins" | "release";

/** The recorded sums of one release. */
export type ReleasePins = Readonly<Partial<Record<Architecture, FileSums | undefined>>>;

interface FileSums {
  readonly k3s?: string | undefined;
  readonly images?: string | undefined;
}

/**
 * The sums in use, and where the one for `arch` comes from: the config, else the pins, else the release's own list, which a
 * later step reads.
 */
export function resolveSums(
  artifact: "k3s" | "images",
  arch: Architecture,
  configured: Sums,
  pinned: ReleasePins = {},
): { sums: Sums; origin: SumOrigin } {
  const entries = ARCHITECTURES.map((each) => [each, configured[each] ?? pinned[each]?.[artifact]] as const);
  const sums: Sums = Object.fromEntries(entries.filter(([, sum]) => sum !== undefined));
  return { sums, origin: configured[arch] ? "config" : pinned[arch]?.[artifact] ? "pins" : "release" };
}
