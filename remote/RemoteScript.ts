import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import { readAnswer } from "./answer";
import { DIAL_TIMEOUTS } from "./dialing";
import { type Action, type Arguments, renderCommand, renderStdin, type TaskName } from "./script";
import type { ArgumentName } from "./shapes";
import { requireArguments } from "./tasks";

export type Connection = pulumi.Input<command.types.input.remote.ConnectionArgs>;

export interface RemoteScriptArgs {
  readonly task: TaskName;
  /** What the step does, in a few words, for previews and errors. */
  readonly title: string;
  readonly connection: Connection;
  /** Plain arguments, known in every preview. */
  readonly args: Arguments;
  /** Plain values that a first preview may not know. */
  readonly inputs?: Readonly<Partial<Record<ArgumentName, pulumi.Input<string>>>>;
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** When it runs: at creation and every change, at deletion, or both. @default "apply" */
  readonly on?: "apply" | "delete" | "apply and delete";
  /** Tasks of one lock wait for each other on the machine. */
  readonly lock: string;
  /** Time limit for the task on the machine, in seconds. */
  readonly boundSeconds: number;
  /** Its answer is a secret: its output is never shown or kept in plain text. @default false */
  readonly secretOutput?: boolean;
  /** If one of these values changes, the resource is replaced instead of updated. */
  readonly triggers?: pulumi.Input<string>[];
}

/** The last run was one of these; the state does not say which. */
const APPLY = ["create", "update"] as const;

/**
 * A script on a machine, over SSH with a checked host key: the only `remote.Command` of this program.
 *
 * The plugin's behaviour explains its design (docs/decisions/0002). Any changed input runs the script again, so every script
 * is idempotent. A failure prints the whole command, so the script and its secrets travel on stdin. A session has no time
 * limit, so the script has one. A deletion uses the old text, so a text that may need a fix is kept on the machine.
 */
export class RemoteScript extends command.remote.Command {
  /**
   * The answer, in the shape that its task gives; a secret if `secretOutput` is set. Empty if the script runs only at deletion.
   */
  readonly answer: pulumi.Output<string>;

  constructor(name: string, args: RemoteScriptArgs, opts: pulumi.CustomResourceOptions) {
    requireArguments(args.task, [...Object.keys(args.args), ...Object.keys(args.inputs ?? {})]);
    const text = (action: Action): string =>
      renderCommand({
        task: args.task,
        action,
        step: name,
        title: args.title,
        lock: args.lock,
        boundSeconds: args.boundSeconds,
        args: args.args,
      });
    const on = args.on ?? "apply";
    super(
      name,
      {
        connection: args.connection,
        ...(on === "delete" ? {} : { create: text("create"), update: text("update") }),
        ...(on === "apply" ? {} : { delete: text("delete") }),
        stdin: stdin(args),
        ...(args.triggers ? { triggers: args.triggers } : {}),
        logging: args.secretOutput ? "none" : "stderr",
        addPreviousOutputInEnv: false,
      },
      pulumi.mergeOptions(
        {
          deleteBeforeReplace: true,
          customTimeouts: DIAL_TIMEOUTS,
          additionalSecretOutputs: args.secretOutput ? ["stdout", "stderr"] : [],
        },
        opts,
      ),
    );
    // Always checked, even if nobody uses the answer: a script that did not run must fail.
    this.answer =
      on === "delete" ? pulumi.output("") : this.stdout.apply((text) => readAnswer(args.task, name, APPLY, text));
  }
}

/** A secret if the script has a secret. Otherwise readable, so that the preview shows a changed script. */
function stdin(args: RemoteScriptArgs): pulumi.Output<string> {
  const text = pulumi
    .all([pulumi.all(args.inputs ?? {}), pulumi.all(args.secrets ?? {})])
    .apply(([inputs, secrets]) => renderStdin(args.task, { inputs, secrets }));
  return args.secrets ? pulumi.secret(text) : text;
}
