import semver from "semver";

/**
 * Kubernetes releases as of November 2026. The program has no clock, so update these values when you add a release.
 * Upstream keeps a minor for about 14 months; 1.34 ended in October 2026.
 */
const OLDEST_ACCEPTED = "1.32.0";
const OLDEST_SUPPORTED = "1.35.0";
const NEWEST_KNOWN_MINOR = "1.37";

const kubernetesOf = (version: string): semver.SemVer => new semver.SemVer(version);
const minorOf = ({ major, minor }: semver.SemVer): string => `${major}.${minor}`;

/** `1.36` of `v1.36.3+k3s1`. */
export const kubernetesMinor = (version: string): string => minorOf(kubernetesOf(version));

/** Why the program does not accept a well-formed version; `undefined` if it does. */
export function versionProblem(version: string): string | undefined {
  const kubernetes = kubernetesOf(version);
  if (kubernetes.major !== 1) return `must be a Kubernetes 1.x release, not ${version}`;
  if (semver.lt(kubernetes, OLDEST_ACCEPTED)) return `must be 1.32 or later, not ${version}`;
  return undefined;
}

/** A warning about a version that is out of support or not known yet. */
export function versionWarning(version: string): string[] {
  const kubernetes = kubernetesOf(version);
  if (semver.lt(kubernetes, OLDEST_SUPPORTED)) {
    return [`K3s ${version} is out of support: Kubernetes ${minorOf(kubernetes)} gets no more security fixes`];
  }
  if (semver.gte(kubernetes, `${NEWEST_KNOWN_MINOR}.0`) && minorOf(kubernetes) !== NEWEST_KNOWN_MINOR) {
    return [`K3s ${version} is newer than ${NEWEST_KNOWN_MINOR}, the newest that this program knows`];
  }
  return [];
}
