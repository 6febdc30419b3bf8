import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import { readAnswer } from "./answer";
import { type Action, type Arguments, renderCommand, renderStdin, type TaskName } from "./script";
import { type ArgumentName, requireArguments } from "./tasks";

export type Connection = pulumi.Input<command.types.input.remote.ConnectionArgs>;

export interface RemoteScriptArgs {
  readonly task: TaskName;
  /** A few words for previews and errors: what the step does. */
  readonly title: string;
  readonly connection: Connection;
  /** Plain arguments, known in every preview. */
  readonly args: Arguments;
  /** Plain values that a first preview may not know. */
  readonly inputs?: Readonly<Partial<Record<ArgumentName, pulumi.Input<string>>>>;
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** When it runs: at creation and every change, at the deletion, or both. @default "apply" */
  readonly on?: "apply" | "delete" | "apply and delete";
  /** Tasks of one lock wait for each other on the machine. */
  readonly lock: string;
  /** The longest that the task may take on the machine, in seconds. */
  readonly boundSeconds: number;
  /** What it answers is a secret: nothing of its output is shown or kept in the clear. @default false */
  readonly secretOutput?: boolean;
  /** Values whose change runs the script anew in place of an update. */
  readonly triggers?: pulumi.Input<string>[];
}

/** The last run was one of these; which of them, the state does not tell. */
const APPLY = ["create", "update"] as const;

/** Seconds that a deletion may dial before it gives up; the task itself is bounded on the machine. */
const DIAL_SECONDS = 60;

/**
 * A script on a machine, over SSH with a checked host key: the only `remote.Command` of this program.
 *
 * The plugin's traits that shape it (docs/decisions/0002): any changed input runs the script again, so every script is
 * idempotent; a failure prints the whole command, so the script and its secrets travel on stdin; a session has no bound
 * of its own, so the script has; a deletion uses the old text, so what may need correction lives on the machine.
 */
export class RemoteScript extends command.remote.Command {
  /** What it answered, of the shape that its task gives; a secret where `secretOutput` says so. Empty for one that only deletes. */
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
          customTimeouts: { create: "10m", update: "10m", delete: `${DIAL_SECONDS}s` },
          additionalSecretOutputs: args.secretOutput ? ["stdout", "stderr"] : [],
        },
        opts,
      ),
    );
    // Also where nobody asks for the answer: a script that did not run must not pass for one that did.
    this.answer =
      on === "delete" ? pulumi.output("") : this.stdout.apply((text) => readAnswer(args.task, name, APPLY, text));
  }
}

/** Secret when it carries a secret; otherwise readable, so that a changed script shows in the preview. */
function stdin(args: RemoteScriptArgs): pulumi.Output<string> {
  const text = pulumi
    .all([pulumi.all(args.inputs ?? {}), pulumi.all(args.secrets ?? {})])
    .apply(([inputs, secrets]) => renderStdin(args.task, { inputs, secrets }));
  return args.secrets ? pulumi.secret(text) : text;
}
