import { ONBOARDING_STEPS, onboardingSteps } from "../../plan/onboarding";
import { escape, renderDocument } from "../status/markup";
import { type ClusterProgress, openSteps, STATE_SIGNS, summaryOf } from "./progress";

/** The page's colours of the states. */
const LEVELS = { pending: "skip", running: "warn", done: "ok", skipped: "skip", failed: "fail" } as const;
const PROGRESS_LEVELS = { done: "ok", failed: "fail", unfinished: "warn" } as const;

/** The onboarding as a page, in the style of the status page. */
export function renderOnboardingPage(progress: ClusterProgress): string {
  const { cluster, at, nodes, unasked } = progress;
  const head = ["NODE", "ADDRESS", ...onboardingSteps.map((step) => ONBOARDING_STEPS[step])];
  const rows = nodes.map(({ name, address, steps }) => {
    const cells = onboardingSteps.map((step) => {
      if (!steps) return `<td>–</td>`;
      const { state, message } = steps[step];
      return `<td class="state ${LEVELS[state]}" title="${escape(message)}">${STATE_SIGNS[state]} ${escape(state)}</td>`;
    });
    return `<tr><td>${escape(name)}</td><td>${escape(address)}</td>${cells.join("")}</tr>`;
  });
  const open = nodes.flatMap((node) =>
    openSteps(node).map(
      ({ step, state, time, message }) =>
        `<li class="${LEVELS[state]}"><b>${STATE_SIGNS[state]} ${escape(node.name)}</b>${escape(step)}<code>${escape(`${time ?? ""} ${message}`)}</code></li>`,
    ),
  );
  const list = open.length > 0 ? `<h2>Running and failed</h2><ul>${open.join("")}</ul>` : "";
  const verdict = { text: summaryOf(progress), level: PROGRESS_LEVELS[progress.progress] };
  return renderDocument({ name: cluster, verdict, note: "Onboarding", at }, [
    `<h2>Nodes</h2><div class="wide"><table><thead><tr>${head.map((each) => `<th>${each}</th>`).join("")}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`,
    unasked === undefined ? "" : `<p class="dim">not asked: ${escape(unasked)}</p>`,
    list,
  ]);
}
