import { z } from "zod";

import pinned from "./pinned-sums.json";
import type { ReleasePins } from "./sums";

/** Recorded SHA-256 sums by K3s version. `proxmox-k3s pin VERSION` writes them to `plan/pinned-sums.json`. */
export type Pins = Readonly<Record<string, ReleasePins>>;

const sum = z.string().regex(/^[0-9a-f]{64}$/);
const files = z.strictObject({ k3s: sum.optional(), images: sum.optional() });
const pinsSchema = z.record(
  z.string().regex(/^v\d+\.\d+\.\d+\+k3s\d+$/),
  z.strictObject({ amd64: files.optional(), arm64: files.optional() }),
);

/** Checks the content of a pins file. @throws ZodError if it is not a pins file */
export function parsePins(content: unknown): Pins {
  return pinsSchema.parse(content);
}

/** The pins of this repository. The file is not named pins.json, because Node.js would load it as the module `./pins`. */
export const repositoryPins: Pins = parsePins(pinned);
