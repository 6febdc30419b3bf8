import { isMap } from "../../config/section";

/** An object of Flux, as far as its failure is described. */
export interface FailedObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Where to look if Flux cannot do its part; by kind. */
const FIX: Readonly<Record<string, string>> = {
  GitRepository: "`flux.git` in the stack file, its secret config, and the Git server",
  Kustomization: "the folder in the repository, and `flux` in the stack file",
};

/** Whether Flux is at it just now: it tries again and again, and only between two tries it says what is wrong. */
export const isTrying = (object: unknown): boolean => conditionReady(object)?.["status"] === "Unknown";

/**
 * What a person must know if an object of Flux did not become ready in time: Flux' own words, and the next command. Pulumi itself only says
 * that the time is over.
 * @param object as the API has it; undefined if the API did not say
 */
export function describeFailure({ kind, namespace, name }: FailedObject, object: unknown): string {
  const title = `${kind} ${namespace}/${name}`;
  const ready = conditionReady(object);
  if (ready?.["status"] === "True")
    return `${title} is Ready by now, but not in time.\nSet a longer \`timeout\` in the stack file, then run \`pulumi up\`.`;
  const look = `kubectl -n ${namespace} describe ${kind.toLowerCase()} ${name}`;
  const message = oneLine(ready?.["message"]);
  if (message === "")
    return [
      `${title} is not Ready. Flux has said nothing of it yet.`,
      `Run \`kubectl -n ${namespace} get pods\` to see whether its controllers run, and \`${look}\`.`,
    ].join("\n");
  const reason = oneLine(ready?.["reason"]);
  return [
    `${title} is not Ready${/^[A-Za-z]+$/.test(reason) ? ` (${reason})` : ""}. Flux says: ${message}`,
    `Fix what it names (${FIX[kind] ?? "`flux` in the stack file"}), then run \`pulumi up\`. \`${look}\` shows more.`,
  ].join("\n");
}

function conditionReady(object: unknown): Record<string, unknown> | undefined {
  const status = isMap(object) ? object["status"] : undefined;
  const conditions = isMap(status) ? status["conditions"] : undefined;
  const all: readonly unknown[] = Array.isArray(conditions) ? conditions : [];
  return all.filter(isMap).find(({ type }) => type === "Ready");
}

/** The longest message that is shown whole; an object that is refused may be in it. */
const LONGEST = 1000;

/** Words of others on one line, without anything that could write elsewhere on a terminal; empty for what is no text. */
function oneLine(value: unknown): string {
  const words = typeof value === "string" ? value.replaceAll(/[\p{C}\p{Z}]+/gu, " ").trim() : "";
  return words.length > LONGEST ? `${words.slice(0, LONGEST)} …` : words;
}
