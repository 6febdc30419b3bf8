import { isMap, isScalar, isSeq, parseDocument, type YAMLMap } from "yaml";

import type { NodePlan } from "../../plan/model";
import { PROJECT } from "../stack";

/*
 * Changes of a stack file. The parsed document says where a value is, and only its characters are replaced: comments, quotes and
 * all other lines stay as the person wrote them. Pure.
 */

/**
 * Gives a pool another number of nodes.
 * @returns the whole file
 * @throws Error if the file has no such pool
 */
export function scaled(text: string, pool: string, count: number): string {
  return withValue(text, poolIn(text, pool), "count", String(count));
}

/**
 * Takes one node out of its pool: its index is retired, so that no other node changes. The last index of a pool goes by the
 * count alone.
 * @param nodes all nodes of the cluster
 * @param isReplaced a new node of the pool, with the next index, takes its place
 */
export function withoutNode(
  text: string,
  { pool, index }: NodePlan,
  nodes: readonly NodePlan[],
  isReplaced = false,
): string {
  const others = nodes.filter((node) => node.pool === pool && node.index !== index);
  const lower = isReplaced ? text : scaled(text, pool, others.length);
  if (!isReplaced && !others.some((other) => other.index > index)) return lower;
  const map = poolIn(lower, pool);
  const former = (map.toJSON() as { retired?: number[] }).retired ?? [];
  const retired = [...former, index].sort((a, b) => a - b);
  return withValue(lower, map, "retired", `[${retired.join(", ")}]`);
}

function poolIn(text: string, pool: string): YAMLMap {
  const doc = parseDocument(text);
  const [first] = doc.errors;
  if (first) throw new Error(`the stack file cannot be read: ${first.message}`);
  const path = ["config", `${PROJECT}:cluster`, "pools"];
  const map = doc.getIn([...path, pool], true);
  if (isMap(map)) return map;
  const all = doc.getIn(path, true);
  const names = isMap(all) ? all.items.map(({ key }) => String(key)).join(", ") : "none";
  throw new Error(`the stack file has no pool ${pool}\nnext:  name one of its pools: ${names}`);
}

/** The text with another value of a key. A key that is not there comes before the count, or first. */
function withValue(text: string, map: YAMLMap, key: string, value: string): string {
  const put = (from: number, to: number, written: string): string => text.slice(0, from) + written + text.slice(to);
  const found = map.get(key, true);
  if ((isScalar(found) || isSeq(found)) && found.range) return put(found.range[0], found.range[1], value);
  const keys = map.items.map((pair) => pair.key).filter(isScalar);
  const at = (keys.find((each) => each.value === "count") ?? keys[0])?.range?.[0] ?? 0;
  const indent = " ".repeat(at - (text.lastIndexOf("\n", at - 1) + 1));
  return put(at, at, `${key}: ${value}${map.flow ? ", " : `\n${indent}`}`);
}
