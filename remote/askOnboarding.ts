import { z } from "zod";

import {
  joinedReport,
  type OnboardingReport,
  ONBOARDING_STEPS,
  onboardingSteps,
  STEP_STATES,
} from "../plan/onboarding";
import { lookAtCluster } from "./clusterLook";
import type { ShellTarget } from "./sshClient";

/** The report of each guest about its onboarding, by the guest's name on the Proxmox host; undefined if it has none. */
export type OnboardingReports = ReadonlyMap<string, OnboardingReport | undefined>;

/**
 * Asks all nodes at the same time how far their onboarding is.
 * @param clusterId the anchor's random id
 * @throws ConnectionError if the host cannot be reached; Error with the cause and the next step if the script failed
 */
export async function askOnboarding(
  target: ShellTarget,
  cluster: string,
  clusterId: string,
): Promise<OnboardingReports> {
  const answer = await lookAtCluster(target, {
    ...{ task: "onboarding", cluster, clusterId, boundSeconds: 120 },
    title: "how far the onboarding of each node is",
    args: {},
  });
  return parseOnboarding(answer);
}

/** Reads the answer of `scripts/host/onboarding.sh`. A node writes its report itself; a report of another form counts as none. */
export function parseOnboarding(answer: string): OnboardingReports {
  const lines = answer.split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [, name = "", base64 = "", joined] = line.split("\t");
      const report = reportIn(Buffer.from(base64, "base64").toString("utf8"));
      return [name, joined === undefined ? report : joinedReport(report)] as const;
    }),
  );
}

const step = z.object({
  state: z.enum(STEP_STATES),
  time: z.union([z.literal(""), z.iso.datetime()]).transform((time) => time || undefined),
  // Printable ASCII, because it is shown on a terminal.
  message: z.string().regex(/^[ -~]{0,600}$/),
});
const report = z.object({ steps: z.object(Object.fromEntries(onboardingSteps.map((name) => [name, step]))) });

function reportIn(text: string): OnboardingReport | undefined {
  try {
    return report.parse(JSON.parse(text)).steps as Record<keyof typeof ONBOARDING_STEPS, z.infer<typeof step>>;
  } catch {
    return undefined;
  }
}
