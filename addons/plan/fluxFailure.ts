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

/**
 * What a person must know if an object of Flux did not become ready in time: Flux' own words, and the next command. Pulumi itself only says
 * that the time is over.
 * @param object as the API has it; undefined if the API did not say
 */
export function describeFailure({ kind, namespace, name }: FailedObject, object: unknown): string {
  const { reason, message } = readyCondition(object) ?? {};
  const said = message === undefined ? "Flux has said nothing of it yet" : `Flux says: ${message}`;
  const title = `${kind} ${namespace}/${name} is not Ready${reason === undefined ? "" : ` (${reason})`}. ${said}`;
  const look = `kubectl -n ${namespace} describe ${kind.toLowerCase()} ${name}`;
  const controllers = `kubectl -n ${namespace} get pods`;
  const next =
    message === undefined
      ? `Run \`${controllers}\` to see whether its controllers run, and \`${look}\`.`
      : `Fix what it names (${FIX[kind] ?? "`flux` in the stack file"}), then run \`pulumi up\`. \`${look}\` shows more.`;
  return `${title}\n${next}`;
}

/** The longest message that is shown whole; an object that is refused may be in it. */
const LONGEST = 1000;

/** The condition Ready, if it is not true: its words on one line, without anything that could write elsewhere on a terminal. */
function readyCondition(object: unknown): { readonly reason?: string; readonly message?: string } | undefined {
  const status = isMap(object) ? object["status"] : undefined;
  const conditions = isMap(status) ? status["conditions"] : undefined;
  const all: readonly unknown[] = Array.isArray(conditions) ? conditions : [];
  const ready = all.filter(isMap).find(({ type, status }) => type === "Ready" && status !== "True");
  const words = (value: unknown): string =>
    typeof value === "string" ? value.replaceAll(/[\p{C}\p{Z}]+/gu, " ").trim() : "";
  const reason = words(ready?.["reason"]);
  const message = words(ready?.["message"]);
  return {
    ...(/^[A-Za-z]+$/.test(reason) && { reason }),
    ...(message !== "" && { message: message.length > LONGEST ? `${message.slice(0, LONGEST)} …` : message }),
  };
}
