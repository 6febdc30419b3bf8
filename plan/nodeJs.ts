import * as semver from "semver";

import { engines } from "../package.json";

/**
 * Why the program cannot run on this Node.js; undefined if it can. The minimum version is in package.json (`engines`): it is
 * the first with `tls.getCACertificates`, which the doctor needs to trust the same CAs as the Proxmox provider.
 * @param version without "v"; that of the running Node.js by default
 */
export function nodeJsProblem(version = process.versions.node): { seen: string; remedy: string } | undefined {
  if (semver.satisfies(version, engines.node)) return undefined;
  const least = engines.node.replace(/^>=/, "");
  return {
    seen: `Node.js ${version} is too old`,
    remedy: `install Node.js ${least} or newer (https://nodejs.org/en/download), and put it first on PATH`,
  };
}
