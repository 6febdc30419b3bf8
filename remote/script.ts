import * as fs from "node:fs";
import * as path from "node:path";

/**
 * What a remote script is asked to do; the same script serves the first three, as the command plugin keeps one stdin.
 * `look` is for scripts that change nothing.
 */
export type Action = "create" | "update" | "delete" | "look";

/** The tasks: each is a script of `scripts/host` or `scripts/node` behind the shared parts that it needs, in order. */
const TASKS = {
  back: ["lib/task", "lib/guest", "lib/cluster", "host/back"],
  "ca-hash": ["lib/task", "lib/guest", "lib/cluster", "host/ca-hash"],
  claim: ["lib/task", "lib/guest", "host/claim"],
  discard: ["lib/task", "lib/guest", "host/discard"],
  "fetch-artifacts": ["lib/task", "lib/node-files", "node/fetch-artifacts"],
  guests: ["lib/task", "lib/guest", "host/guests"],
  "host-key": ["lib/task", "lib/guest-running", "host/host-key"],
  "install-k3s": ["lib/task", "lib/node-files", "node/install-k3s"],
  join: ["lib/task", "lib/guest", "lib/cluster", "lib/etcd", "host/join"],
  kubeconfig: ["lib/task", "lib/guest", "lib/cluster", "host/kubeconfig"],
  leave: ["lib/task", "host/leave-stub"],
  lxc: ["lib/task", "lib/guest", "lib/guest-running", "host/lxc"],
  preflight: ["lib/task", "lib/guest", "host/preflight", "host/preflight-host", "host/preflight-machines"],
  "push-artifacts": ["lib/task", "lib/guest-running", "host/push-artifacts"],
  quorum: ["lib/task", "lib/guest", "lib/cluster", "lib/etcd", "host/quorum"],
  ready: ["lib/task", "lib/guest", "lib/guest-running", "lib/cluster", "host/ready"],
  "release-sums": ["lib/task", "host/release-sums"],
  roster: ["lib/task", "lib/guest", "host/roster"],
} as const satisfies Record<string, readonly string[]>;

/** The removal that the roster keeps on the host; {@link TASKS.leave} brings the part that is common to all tasks. */
const KEPT_LEAVE = ["lib/guest", "lib/cluster", "lib/etcd", "host/leave"];

export type TaskName = keyof typeof TASKS;

/** Files that a task finds beside itself in `$WORK`. */
const FILES: Partial<Record<TaskName, Readonly<Record<string, readonly string[]>>>> = {
  "install-k3s": {
    "k3s.service": ["node/files/k3s.service"],
    "k3s-agent.service": ["node/files/k3s-agent.service"],
  },
  lxc: {
    "guest-ssh.sh": ["host/files/guest-ssh.sh"],
    "sshd.conf": ["host/files/sshd.conf"],
    "sshd-tmpfiles.conf": ["host/files/sshd-tmpfiles.conf"],
  },
  roster: { leave: KEPT_LEAVE.map((part) => `${part}.sh`) },
};

export const taskNames = Object.keys(TASKS) as TaskName[];

const END = "PROXMOX_K3S_END";
const SCRIPTS = path.join(__dirname, "../scripts");
const read = (file: string): string => fs.readFileSync(path.join(SCRIPTS, file), "utf8");

/** The text of a task, without the runner; `kept-leave` is the removal as the roster keeps it on the host. */
export function taskText(task: TaskName | "kept-leave"): string {
  const parts = task === "kept-leave" ? ["lib/task", ...KEPT_LEAVE] : TASKS[task];
  return parts.map((part) => read(`${part}.sh`)).join("\n");
}

/** A word for POSIX shell: in single quotes, which keep everything but themselves. */
export function quote(value: string | number): string {
  return `'${String(value).replaceAll("'", `'\\''`)}'`;
}

export interface CommandText {
  readonly task: TaskName;
  readonly action: Action;
  /** Name of the resource; errors and the log on the machine carry it. */
  readonly step: string;
  /** What the step is for, in a few words; stands at the head of the command, where previews and errors show it. */
  readonly title: string;
  /** Name of the lock on the machine: tasks with the same name wait for each other. */
  readonly lock: string;
  readonly boundSeconds: number;
  /** Plain values, upper-case names; they are readable in every preview. Never a secret. */
  readonly args: Readonly<Record<string, string | number>>;
}

/**
 * The command as it stands in previews, state and errors: arguments and nothing else. The script itself arrives on
 * stdin, because the plugin prints the whole command when it fails.
 */
export function renderCommand(text: CommandText): string {
  const exports = {
    STEP: text.step,
    ACTION: text.action,
    LOCK: text.lock,
    BOUND: text.boundSeconds,
    ...text.args,
  };
  const lines = Object.entries(exports).map(([name, value]) => {
    if (!/^[A-Z][A-Z0-9_]*$/.test(name)) throw new Error(`not a name for an argument: ${name}`);
    return `export ${name}=${quote(value)}`;
  });
  return [`# ${text.title}`, ...lines, "exec sh -s"].join("\n");
}

export interface StdinValues {
  /** Values that a first preview cannot know (the cluster's id, sums of a release); exported like arguments. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Written to `$WORK/secret.<NAME>`, mode 0600; they make the whole stdin secret. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** The script that runs: the runner, the values, the files, the task, and the call of the runner. */
export function renderStdin(task: TaskName, values: StdinValues = {}): string {
  const inputs = Object.entries(values.inputs ?? {}).map(([name, value]) => `export ${name}=${quote(value)}\n`);
  const secrets = Object.entries(values.secrets ?? {}).map(([name, value]) => hereDocument(`secret.${name}`, value));
  const files = Object.entries(FILES[task] ?? {}).map(([name, parts]) =>
    hereDocument(name, parts.map(read).join("\n")),
  );
  const body = hereDocument("task", taskText(task));
  return [...inputs, read("lib/runner.sh"), ...secrets, ...files, body, "main\n"].join("");
}

function hereDocument(name: string, text: string): string {
  if (text.split("\n").includes(END)) throw new Error(`${name} contains the line ${END}`);
  return `cat >"$WORK/${name}" <<'${END}'\n${text.replace(/\n?$/, "\n")}${END}\n`;
}
