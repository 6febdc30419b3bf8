import { isMap } from "../../config/section";

/** An object of Flux, only the parts that describe its failure. */
export interface FailedObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Where to look if Flux cannot apply an object, by kind. */
const FIX: Readonly<Record<string, string>> = {
  GitRepository: "`flux.git` in the stack file, its secret config, and the Git server",
  Kustomization: "the folder in the repository, and `flux` in the stack file",
};

/** Whether Flux is trying just now. It tries again and again, and reports the error only between two tries. */
export const isTrying = (object: unknown): boolean => conditionReady(object)?.["status"] === "Unknown";

/**
 * The text about an object of Flux that did not become ready in time: Flux' own message, and the next command. Pulumi itself only
 * says that the time is over.
 * @param object as the API has it; undefined if the API gave no answer
 */
export function describeFailure({ kind, namespace, name }: FailedObject, object: unknown): string {
  const title = `${kind} ${namespace}/${name}`;
  const ready = conditionReady(object);
  if (ready?.["status"] === "True")
    return `${title} is Ready now, but it was not in time.\nSet a longer \`timeout\` in the stack file, then run \`pulumi up\`.`;
  const look = `kubectl -n ${namespace} describe ${kind.toLowerCase()} ${name}`;
  const message = oneLine(ready?.["message"]);
  if (message === "")
    return [
      `${title} is not Ready. Flux has not reported anything about it yet.`,
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

/** The longest message that is shown in full; it may contain a whole object that was refused. */
const LONGEST = 1000;

/** Another program's words on one line, without control characters for a terminal; empty if it is not a text. */
function oneLine(value: unknown): string {
  const words = typeof value === "string" ? value.replaceAll(/[\p{C}\p{Z}]+/gu, " ").trim() : "";
  return words.length > LONGEST ? `${words.slice(0, LONGEST)} …` : words;
}
