import { isMap, isNode, isScalar, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from "yaml";

import type { NodePlan } from "../../plan/model";
import { PROJECT } from "../stack";

/**
 * Changes of a stack file. The parsed document says where a value is, and only its characters are replaced. So comments, quotes
 * and all other lines stay as the user wrote them. Pure.
 */

/**
 * Changes the number of nodes in a pool.
 * @returns the whole file
 * @throws Error if the file has no such pool
 */
export function scaled(text: string, pool: string, count: number): string {
  return withValue(text, poolIn(text, pool), "count", String(count));
}

/**
 * Takes one node out of its pool: its index is retired, so that no other node changes. For the last index of a pool, a lower
 * count is enough.
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
  const list = map.get("retired", true);
  return isSeq(list) ? withItem(lower, list, String(index)) : withValue(lower, map, "retired", `[${index}]`);
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

/**
 * The text with another value of a key. A missing key is added before the count, or as the first key.
 * @throws Error if the value is not written at this place, but elsewhere
 */
function withValue(text: string, map: YAMLMap, key: string, value: string): string {
  const put = (from: number, to: number, written: string): string => text.slice(0, from) + written + text.slice(to);
  const found = map.get(key, true);
  if (isScalar(found) && found.range) {
    const [from, to] = found.range;
    // A key may have no value yet, but a comment after it.
    const [before, after] = [/\S/.test(text.slice(from - 1, from)), /\S/.test(text.slice(to, to + 1))];
    return put(from, to, from < to ? value : `${before ? " " : ""}${value}${after ? " " : ""}`);
  }
  if (found !== undefined)
    throw new Error(`the stack file has ${key} as a reference to another place\nnext:  change it there by hand`);
  const keys = map.items.map((pair) => pair.key).filter(isScalar);
  const at = (keys.find((each) => each.value === "count") ?? keys[0])?.range?.[0] ?? 0;
  const indent = " ".repeat(at - (text.lastIndexOf("\n", at - 1) + 1));
  return put(at, at, `${key}: ${value}${map.flow ? ", " : `\n${indent}`}`);
}

/** The text with one more item at the end of a list, in the list's own style; all comments stay. */
function withItem(text: string, list: YAMLSeq, value: string): string {
  const put = (at: number, written: string): string => text.slice(0, at) + written + text.slice(at);
  const start = list.range![0];
  const last = list.items.at(-1);
  const end = isNode(last) ? last.range![1] : undefined;
  if (list.flow) return end === undefined ? put(start + 1, value) : put(end, `, ${value}`);
  const indent = " ".repeat(start - (text.lastIndexOf("\n", start - 1) + 1));
  const line = text.indexOf("\n", end);
  return put(line < 0 ? text.length : line, `\n${indent}- ${value}`);
}
