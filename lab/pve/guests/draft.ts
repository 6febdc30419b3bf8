import { failure } from "../errors";
import type { GuestConfig, GuestConfigFile, RawLine } from "../guestConfig";

/** A guest's file while it is being changed. */
export interface Draft extends GuestConfigFile {
  readonly options: Map<string, string>;
  raw: readonly RawLine[];
  readonly pending: { readonly options: Map<string, string>; readonly raw: readonly RawLine[]; deletions: string[] };
  readonly cloudInit: Map<string, string>;
  readonly snapshots: Map<string, GuestConfig>;
}

export function draftOf(file: GuestConfigFile): Draft {
  return {
    options: new Map(file.options),
    raw: file.raw,
    pending: {
      options: new Map(file.pending.options),
      raw: file.pending.raw,
      deletions: [...file.pending.deletions],
    },
    cloudInit: new Map(file.cloudInit),
    snapshots: new Map(file.snapshots),
  };
}

/** @throws ApiError 500 if the guest is protected from removal. */
export function assertUnprotected(file: GuestConfigFile, what: string): void {
  if (file.options.get("protection") === "1") throw failure(`${what} - protection mode enabled`);
}
