import { SIGNS } from "../doctor/report";
import type { NodeStatus, Status } from "./compare";
import { escape } from "./markup";

/** Sizes, in units of the picture. */
const CARD = { width: 210, height: 96, gap: 16 };
const FRAME = { side: 20, head: 44, between: 24 };
const COLUMNS = 4;
/** How many letters fit into a line of a card. */
const LETTERS = 24;

interface Drawn {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

/**
 * The cluster as an SVG picture: a frame for each Proxmox VE node, a card for each guest, and one frame for Nodes that are only
 * in Kubernetes.
 */
export function renderPicture({ nodes, cluster }: Status): string {
  const places = [...new Set(nodes.map(({ proxmoxNode }) => proxmoxNode))].sort((a, b) => order(a) - order(b));
  const frames = places.map((place) => {
    const here = nodes.filter(({ proxmoxNode }) => proxmoxNode === place);
    return drawFrame(place === "" ? "Only in Kubernetes" : `Proxmox VE node ${place}`, here);
  });
  const width = Math.max(...frames.map((frame) => frame.width), 0);
  const height = frames.reduce((sum, frame) => sum + frame.height + FRAME.between, -FRAME.between);
  let y = 0;
  const parts = frames.map((frame) => {
    const part = `<g transform="translate(0 ${y})">${frame.svg}</g>`;
    y += frame.height + FRAME.between;
    return part;
  });
  const label = escape(`The nodes of ${cluster} and where they run`);
  return `<svg viewBox="-1 -1 ${width + 2} ${height + 2}" width="${width + 2}" role="img" aria-label="${label}">${parts.join("")}</svg>`;
}

/** Nodes that are not on Proxmox VE come last. */
const order = (place: string): number => (place === "" ? 1 : 0);

function drawFrame(title: string, nodes: readonly NodeStatus[]): Drawn {
  const rows = [nodes.filter(({ role }) => role === "server"), nodes.filter(({ role }) => role !== "server")];
  const lines = rows.flatMap((row) => chunks(row, COLUMNS));
  const columns = Math.max(...lines.map((line) => line.length));
  const width = 2 * FRAME.side + columns * (CARD.width + CARD.gap) - CARD.gap;
  const height = FRAME.head + lines.length * (CARD.height + CARD.gap) - CARD.gap + FRAME.side;
  const cards = lines.flatMap((line, row) =>
    line.map((node, column) => {
      const x = FRAME.side + column * (CARD.width + CARD.gap);
      return `<g transform="translate(${x} ${FRAME.head + row * (CARD.height + CARD.gap)})">${drawCard(node)}</g>`;
    }),
  );
  const frame = `<rect class="frame" width="${width}" height="${height}" rx="12"/><text class="place" x="${FRAME.side}" y="28">${escape(title)}</text>`;
  return { svg: frame + cards.join(""), width, height };
}

function drawCard({ name, role, vmId, address, guest, kubernetes, level }: NodeStatus): string {
  const state = [guest === "running" ? "" : guest, kubernetes].filter(Boolean).join(", ");
  const lines = [
    ["name", `${SIGNS[level]} ${name}`],
    ["", [role, vmId].filter(Boolean).join(" ")],
    ["", address ?? ""],
    ["state", state],
  ] as const;
  const texts = lines.map(([kind, text], at) => {
    return `<text class="${kind}" x="14" y="${24 + 20 * at}">${escape(shortened(text))}</text>`;
  });
  return `<g class="card ${level}"><title>${escape(`${name}: ${state}`)}</title><rect width="${CARD.width}" height="${CARD.height}" rx="8"/>${texts.join("")}</g>`;
}

const shortened = (text: string): string => (text.length > LETTERS ? `${text.slice(0, LETTERS - 1)}…` : text);

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}
