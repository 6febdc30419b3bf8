import { z } from "zod";

import { parseStep } from "../plan/steps";
import { ANCHOR_TYPE, COMMAND_TYPE } from "../plan/urn";
import { endOf } from "../remote/askCluster";
import { readArguments } from "../remote/script";
import { entriesIn, type Resources } from "./stateResources";

/** What a run needs from its stack's state to repair a cluster. */
export interface RepairRecord {
  /** The anchor's random id; undefined before the first `up`. */
  readonly clusterId: string | undefined;
  /** How often each step was repaired, by its name; a step that was never repaired is not in it. */
  readonly counts: ReadonlyMap<string, number>;
  /** The end of the certificate in the stack's kubeconfig; undefined if there is none to read. */
  readonly kubeconfigEnds: Date | undefined;
}

/** The record of repairs in a state's resources. Pure. */
export function repairRecordIn(state: Resources): RepairRecord {
  const entries = entriesIn(state);
  const stepOf = ({ name }: { name: string }): string | undefined => parseStep(name)?.step;
  const anchor = entries.find((each) => each.type === ANCHOR_TYPE && stepOf(each) === "anchor");
  const commands = entries
    .filter(({ type }) => type === COMMAND_TYPE)
    .map(({ name, outputs }) => ({ name, ...command.parse(outputs) }));
  const counts = commands.map(({ name, create }) => [name, Number(readArguments(create)["REPAIRS"] ?? 0)] as const);
  return {
    clusterId: z.looseObject({ hex: z.string() }).safeParse(anchor?.outputs).data?.hex,
    counts: new Map(counts.filter(([, count]) => count > 0)),
    kubeconfigEnds: certificateEnd(commands.find((each) => stepOf(each) === "kubeconfig")?.stdout ?? ""),
  };
}

/** The command of a step that runs only at deletions has no such text. */
const command = z.looseObject({ create: z.string().catch(""), stdout: z.string().catch("") });

/** The end of the first client certificate in a kubeconfig. */
function certificateEnd(kubeconfig: string): Date | undefined {
  const [, base64 = ""] = /client-certificate-data: *"?([A-Za-z0-9+/=]+)/.exec(kubeconfig) ?? [];
  return endOf(Buffer.from(base64, "base64"));
}
