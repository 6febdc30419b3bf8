import { root } from "../access/permissions";
import { parameterError, permissionDenied } from "../errors";
import type { Call } from "../http/endpoint";
import { optional, required } from "../schema/schema";

// Parameters that many endpoints share.

export const node = required("string", { format: "pve-node" });
export const vmid = required("integer", { format: "pve-vmid", minimum: 100, maximum: 999_999_999 });
export const optionalVmid = { ...vmid, optional: true };
export const upid = required("string");
export const storage = required("string", { format: "pve-storage-id" });
export const optionalStorage = { ...storage, optional: true };
export const flag = optional("boolean");
export const text = optional("string");
/** A file that comes to a storage by download or upload, and its checksum. */
export const contentFile = {
  content: required("string", { format: "pve-storage-content", enum: ["iso", "vztmpl", "import"] }),
  filename: required("string", { maxLength: 255 }),
  checksum: { ...text, requires: "checksum-algorithm" },
  "checksum-algorithm": optional("string", {
    enum: ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"],
    requires: "checksum",
  }),
};
export const digest = optional("string", { maxLength: 40 });
export const userid = required("string", { format: "pve-userid", maxLength: 64 });
export const count = optional("integer", { minimum: 0 });
export const snapshotName = optional("string", { format: "pve-configid", maxLength: 40 });

/** `PVE::Storage::normalize_content_filename`. */
export function contentFilename(name: string): string {
  return name.replace(/^.*[/\\]/, "").replace(/[^a-zA-Z0-9_.-]/g, "_");
}

export const onNode = { node };
export const onGuest = { node, vmid };

/** The guest in the path of a call. */
export function vmidOf({ params }: Call): number {
  return Number(params["vmid"]);
}

export function timeoutOf({ params: { timeout } }: Call): { timeoutSeconds?: number } {
  return timeout === undefined ? {} : { timeoutSeconds: Number(timeout) };
}

/** Whether to ignore a lock. @throws ApiError 400 if anybody but root@pam asks for that. */
export function skipsLock({ user, params }: Call): boolean {
  const skip = params["skiplock"] === "1";
  if (skip && user !== root) throw parameterError({ skiplock: "Only root may use this option." });
  return skip;
}

/** Checks the right to copy the source, and to create the copy: by its VMID or by its pool. */
export function checkMayClone({ node, user, params }: Call): void {
  const { vmid: source, newid, pool } = params;
  const permissions = node.access.permissions();
  permissions.check(user, `/vms/${source}`, ["VM.Clone"]);
  const places = [`/vms/${newid ?? ""}`, ...(pool === undefined ? [] : [`/pool/${pool}`])];
  if (!places.some((place) => permissions.has(user, place, ["VM.Allocate"]))) throw permissionDenied();
}
