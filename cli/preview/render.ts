import type { Problem } from "../../config/problems";
import type { Review } from "./review";
import type { Step } from "./steps";
import {
  BOUNDS,
  capacityRows,
  disturbanceOf,
  groupsOf,
  hasTimes,
  headline,
  serversOf,
  sourceOf,
  whatOf,
  whyOf,
} from "./words";

/** For a terminal: one line for each node, in the order of the changes. */
export function renderText(review: Review): string {
  const parts = [
    [headline(review), sourceOf(review.source), ...(hasTimes(review) ? [BOUNDS] : [])],
    ...(review.refusals.length > 0
      ? [["Refused. Nothing is changed until this is fixed:", ...review.refusals.flatMap(refusalLines)]]
      : []),
    ...groupsOf(review).map(({ title, steps }) => [
      title,
      ...steps.map(({ place, step }) => `  ${place}. ${stepLine(step, review)}`),
    ]),
    ["The cluster", ...clusterLines(review).map((line) => `  ${line}`)],
    ...(review.notes.length > 0 ? [["Note", ...review.notes.map(bullet)]] : []),
    ["Not known", ...review.unknown.map(bullet)],
  ];
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

const bullet = (sentence: string): string => `  - ${sentence}`;

function refusalLines({ path, problem, hint }: Problem): string[] {
  return [`  ${path}: ${problem}`, ...(hint === undefined ? [] : [`    → ${hint}`])];
}

function stepLine(step: Step, review: Review): string {
  const losses = step.losses.length === 0 ? [] : [`Cannot be undone: ${step.losses.join(" ")}`];
  const disturbed = disturbanceOf(step, review);
  const disturbance = disturbed.length === 0 ? ["Disturbs nothing."] : disturbed;
  return [
    `${step.node} (VMID ${step.vmId}): ${whatOf(step)}, ${whyOf(step)}. ${disturbance.join(" ")}`,
    ...losses,
  ].join(" ");
}

function clusterLines(review: Review): string[] {
  const rows = capacityRows(review);
  const all = [
    { what: "servers", change: serversOf(review) },
    ...rows.map(({ proxmoxNode, what, change }) => ({ what: `${proxmoxNode}: ${what}`, change })),
  ];
  const width = Math.max(...all.map(({ what }) => what.length));
  return all.map(({ what, change }) => `${what.padEnd(width)}  ${change}`);
}

/** For a comment on a pull request. */
export function renderMarkdown(review: Review): string {
  const rows = groupsOf(review).flatMap(({ title, steps }) => [
    `| | **${escape(title)}** | | | |`,
    ...steps.map(({ place, step }) => stepRow(place, step, review)),
  ]);
  const parts = [
    [`### ${escape(headline(review))}`],
    [[sourceOf(review.source), ...(hasTimes(review) ? [BOUNDS] : [])].map(escape).join(" ")],
    ...(review.refusals.length > 0
      ? [["**Refused.** Nothing is changed until this is fixed:"], review.refusals.map(refusalItem)]
      : []),
    ...(rows.length > 0
      ? [["| # | node and step | why | disturbs | cannot be undone |", "| --: | --- | --- | --- | --- |", ...rows]]
      : []),
    [
      "| | before → after |",
      "| --- | --- |",
      `| servers | ${escape(serversOf(review))} |`,
      ...capacityRows(review).map(
        ({ proxmoxNode, what, change }) => `| ${escape(`${proxmoxNode}: ${what}`)} | ${escape(change)} |`,
      ),
    ],
    ...(review.notes.length > 0 ? [["**Note**"], review.notes.map(item)] : []),
    ["**Not known**"],
    review.unknown.map(item),
  ];
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function stepRow(place: number, step: Step, review: Review): string {
  const cells = [
    place,
    `\`${step.node}\` (VMID ${step.vmId}): ${whatOf(step)}`,
    escape(whyOf(step)),
    escape(disturbanceOf(step, review).join(" ")) || "nothing",
    escape(step.losses.join(" ")) || "–",
  ];
  return `| ${cells.join(" | ")} |`;
}

const item = (sentence: string): string => `- ${escape(sentence)}`;
const refusalItem = ({ path, problem, hint }: Problem): string =>
  `- \`${path.replaceAll("`", "'")}\`: ${escape(problem)}${hint === undefined ? "" : `<br>→ ${escape(hint)}`}`;

/** Values of a config are text, never Markdown, a mention or HTML. */
function escape(text: string): string {
  return text
    .replace(/[\\`*_[\]<>|~#&]/g, (sign) =>
      sign === "<" ? "&lt;" : sign === ">" ? "&gt;" : sign === "&" ? "&amp;" : `\\${sign}`,
    )
    .replace(/@/g, "&#64;")
    .replace(/\s+/g, " ");
}

/** For programs. */
export const renderJson = (review: Review): string => `${JSON.stringify(review, undefined, 2)}\n`;
