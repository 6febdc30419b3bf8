import * as fs from "node:fs";
import * as path from "node:path";

/**
 * What a remote script is asked to do; the same script serves the first three, as the command plugin keeps one stdin.
 * `look` is for scripts that change nothing.
 */
export type Action = "create" | "update" | "delete" | "look";

/** The tasks: each is `scripts/<name>.sh` behind the shared parts that it needs, in order. */
const TASKS = {
  back: ["lib", "guest", "cluster", "back"],
  "ca-hash": ["lib", "guest", "cluster", "ca-hash"],
  claim: ["lib", "guest", "claim"],
  discard: ["lib", "guest", "discard"],
  "fetch-artifacts": ["lib", "node", "fetch-artifacts"],
  guests: ["lib", "guest", "guests"],
  "host-key": ["lib", "running", "host-key"],
  "install-k3s": ["lib", "node", "install-k3s"],
  join: ["lib", "guest", "cluster", "etcd", "join"],
  kubeconfig: ["lib", "guest", "cluster", "kubeconfig"],
  leave: ["lib", "leave-stub"],
  lxc: ["lib", "guest", "running", "lxc"],
  preflight: ["lib", "guest", "preflight", "preflight-host", "preflight-machines"],
  "push-artifacts": ["lib", "running", "push-artifacts"],
  quorum: ["lib", "guest", "cluster", "etcd", "quorum"],
  ready: ["lib", "guest", "running", "cluster", "ready"],
  "release-sums": ["lib", "release-sums"],
  roster: ["lib", "guest", "roster"],
} as const;

export type TaskName = keyof typeof TASKS;

/** Files that a task finds beside itself in `$WORK`. */
const FILES: Partial<Record<TaskName, Readonly<Record<string, readonly string[]>>>> = {
  "install-k3s": {
    "k3s.service": ["files/k3s.service"],
    "k3s-agent.service": ["files/k3s-agent.service"],
  },
  lxc: {
    "guest-ssh.sh": ["files/guest-ssh.sh"],
    "sshd.conf": ["files/sshd.conf"],
    "sshd-tmpfiles.conf": ["files/sshd-tmpfiles.conf"],
  },
  // The stub brings its own lib; what the roster keeps is whose guest it is, the way to the cluster, and the removal itself.
  roster: { leave: ["guest.sh", "cluster.sh", "etcd.sh", "leave.sh"] },
};

export const taskNames = Object.keys(TASKS) as TaskName[];

const END = "PROXMOX_K3S_END";
const read = (file: string): string => fs.readFileSync(path.join(__dirname, file), "utf8");

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
  const body = hereDocument("task", TASKS[task].map((part) => read(`${part}.sh`)).join("\n"));
  return [...inputs, read("runner.sh"), ...secrets, ...files, body, "main\n"].join("");
}

function hereDocument(name: string, text: string): string {
  if (text.split("\n").includes(END)) throw new Error(`${name} contains the line ${END}`);
  return `cat >"$WORK/${name}" <<'${END}'\n${text.replace(/\n?$/, "\n")}${END}\n`;
}
