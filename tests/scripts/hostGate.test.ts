import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import fc from "fast-check";

import { GATE_DONE as DONE, gateSum, HOST_TASKS, NODE_TASKS, renderGate } from "../../remote/hostGate";
import { quote, renderStdin } from "../../remote/script";
import { nftables } from "../../plan/render/nftables";
import { firewallPlan } from "../support/firewallPlan";
import { type ArgumentName, SHAPES } from "../../remote/shapes";
import { COMMON_ARGUMENTS, taskOf, type TaskName } from "../../remote/tasks";

/*
 * The gate on the Proxmox host, as sshd starts it: Perl, the command in SSH_ORIGINAL_COMMAND, the script on stdin. A script that
 * the gate accepts would change this machine, so the shell that the gate starts is a double that records what it gets.
 * tests/long/hostGate.test.ts runs real scripts with the same gate behind a real sshd.
 */

/** A valid value for each argument. */
const GOOD: Readonly<Record<ArgumentName, string>> = {
  ...{ ACTION: "create", ADDRESS: "192.168.2.20", AFTER: "its reboot", ALLOW_CONTROL_PLANE_LOSS: "no", ARCH: "amd64" },
  ...{ AUTHORIZED_KEYS: "ssh-ed25519 AAAAC3Nz anna's laptop", BOUND: "300", BRIDGE: "vmbr0", CONFIG: "a: b" },
  ...{ CLUSTER_ID: "0123456789abcdef", CREATION: "5f3a9c1e0b7d4421", DISK: "32" },
  ...{
    DISKS: "data local-lvm 10\nlogs local-lvm 5",
    DISKS_VMID: "320",
    FURTHER: "320 local-lvm 10",
    FIRMWARE: "9000 ovmf",
    ON_DISKS: "keep",
  },
  ...{ DRAIN_TIMEOUT: "600", EVICTION_TIMEOUT: "3600", EFFECT: "reboot it" },
  ...{ ETCD: "no", FILES: "k3s\nk3s-airgap-images-amd64.tar", FROM: "/srv/k3s", IMAGES: "no", IMAGES_SHA256: "-" },
  ...{
    LONGHORN_DISKS: "longhorn 100\nsecond 20",
    LABELS: "tier=web\nexample.com/a=",
    LOCK: "guest-100",
    MARK: "proxmox-k3s project/stack/homelab 0123456789abcdef",
    MESH: "100 k3s-master 192.168.2.20 server\n102 k3s-worker-01 192.168.2.21 agent",
  },
  ...{
    NAME: "k3s-master",
    NETWORK: "keep",
    NETWORKS: "10.42.0.0/16\n10.43.0.0/16",
    NODES: "100 k3s-master 192.168.2.20 local-lvm 32 local:vztmpl/ubuntu_1.tar.zst",
  },
  ...{
    NONCE: "0123456789abcdef",
    ON_BLOCKED: "stop",
    ON_LOCAL_DATA: "stop",
    MODULES: "vxlan ip_vs",
    OVERLAYFS: "local-lvm\ntank",
    POOL: "homelab",
    PVE_NODE: "pve",
  },
  ...{ MODULE: "{ config, ... }: { }", MODULE_SHA256: "b".repeat(64), RULES: nftables(firewallPlan()) },
  ...{ PHASE: "after", URL: "https://192.168.2.20:6443" },
  ...{ DEADLINE: "420", ISCSI: "yes", PACKAGES: "open-iscsi\ng++" },
  ...{ REGISTRIES: "mirrors: {}", REPAIRS: "1", ROLE: "server", RUN: "1\nk3s-master\nk3s-worker-01" },
  ...{
    SERVERS: "100 k3s-master",
    SHA256: "a".repeat(64),
    SNIPPETS: "local",
    STORAGE: "local-lvm",
    SOURCE: "https://mirror.lan/k3s/v1.36.3%2Bk3s1",
  },
  ...{
    START_TIMEOUT: "600",
    STEP: "k3s-master-claim",
    TAINTS: "a=b:NoSchedule\nc:NoExecute",
    TEMPLATE: "9000",
    TIMEOUT: "60",
  },
  ...{ TO: "/var/lib/proxmox-k3s/artifacts", VERSION: "v1.36.3+k3s1", VMID: "100", WAIT: "120" },
  ...{ URN: "urn:pulumi:homelab::proxmox-k3s::proxmox-k3s:index:K3sCluster$a:b:C::k3s-master" },
};

const namesOf = (task: TaskName): readonly ArgumentName[] => [...COMMON_ARGUMENTS, ...taskOf(task).args];
const argumentsOf = (task: TaskName): Record<string, string> =>
  Object.fromEntries(namesOf(task).map((name) => [name, GOOD[name]]));
const commandOf = (values: Readonly<Record<string, string>>): string =>
  ["# title", ...Object.entries(values).map(([name, value]) => `export ${name}=${quote(value)}`), "exec sh -s"].join(
    "\n",
  );

describe("the forced command", () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "gate-"));
  const shell = path.join(dir, "sh");
  const ran = path.join(dir, "ran");
  afterAll(() => fs.rmSync(dir, { recursive: true }));
  beforeAll(() =>
    fs.writeFileSync(shell, `#!/bin/sh\n[ "$*" = -s ] || exit 9\ncat /proc/$$/environ >${ran}\nexec cat >/dev/null\n`, {
      mode: 0o755,
    }),
  );

  const gateWith = (text: string, logger = "/bin/true"): string => {
    const file = path.join(dir, "gate");
    fs.writeFileSync(file, text.replace("'/bin/sh'", `'${shell}'`).replaceAll("/usr/bin/logger", logger));
    return file;
  };
  const gate = (options = {}): string => gateWith(renderGate({ artifacts: ["/srv/k3s"], ...options }));

  /** What the gate prints, and the environment of the script if one ran. */
  const knock = (file: string, original: string, stdin: string, env: Record<string, string> = {}) => {
    fs.rmSync(ran, { force: true });
    const result = spawnSync("/usr/bin/perl", ["-T", file], {
      input: stdin,
      encoding: "utf8",
      env: { ...env, SSH_ORIGINAL_COMMAND: original },
    });
    const given = fs.existsSync(ran) ? fs.readFileSync(ran, "utf8").split("\0").filter(Boolean) : undefined;
    return { status: result.status, cause: /gate: (.*)/.exec(result.stderr)?.[1] ?? result.stderr, given };
  };

  it.each(HOST_TASKS)("runs %s with exactly its arguments, and says so by its exit code", (task) => {
    const values = argumentsOf(task);
    // The script does not get the caller's environment.
    const { status, given, cause } = knock(gate(), commandOf(values), renderStdin(task), {
      PERL5OPT: "",
      HOME: "/evil",
    });
    const expected = Object.entries(values).map(([name, value]) => `${name}=${value}`);
    expect([cause, status]).toEqual(["", DONE]);
    const own = given!.filter((pair) => !/^(PATH=\/usr\/local\/sbin:|LC_ALL=C$|PWD=|_=|SHLVL=|OLDPWD)/.test(pair));
    expect(own.sort()).toEqual(expected.sort());
  });

  it.each(NODE_TASKS)("refuses %s, which is for nodes: it carries secrets, or writes files to any path", (task) => {
    expect(knock(gate(), commandOf(argumentsOf(task)), renderStdin(task))).toMatchObject({
      status: 1,
      cause: expect.stringMatching(/^the gate does not know the script with the SHA-256 [0-9a-f]{64}$/),
      given: undefined,
    });
  });

  it.each([
    ["a shell", ""],
    ["another command", "rm -rf /"],
    ["a command after ours", `${commandOf(argumentsOf("claim"))}\nreboot`],
    ["a command before ours", `reboot\n${commandOf(argumentsOf("claim"))}`],
    ["a command in an export", `export A='x'; reboot\nexec sh -s`],
    ["a substitution outside quotes", `export A=$(reboot)\nexec sh -s`],
    ["sftp", "internal-sftp"],
  ])("refuses %s", (_, original) => {
    expect(knock(gate(), original, renderStdin("claim"))).toMatchObject({
      status: 1,
      cause: "this is not a command of proxmox-k3s",
      given: undefined,
    });
  });

  it("refuses a changed script, even if the change is in the values at its top", () => {
    const command = commandOf(argumentsOf("claim"));
    const refusal = {
      status: 1,
      cause: expect.stringMatching(/^the gate does not know the script with the SHA-256/),
      given: undefined,
    };
    expect(knock(gate(), command, `${renderStdin("claim")}reboot\n`)).toMatchObject(refusal);
    expect(knock(gate(), command, `export A='x'$(reboot)\n${renderStdin("claim")}`)).toMatchObject(refusal);
    expect(knock(gate(), command, renderStdin("claim").slice(0, 2000))).toMatchObject(refusal);
  });

  // The attempts from the review, each with a script that the gate knows.
  it.each<[string, TaskName, Record<string, string>]>([
    [
      "a VMID that is a path",
      "claim",
      { VMID: "../../../../root/.ssh/authorized_keys2", CREATION: "ssh-ed25519 AAAA" },
    ],
    ["a creation that is a public key", "claim", { CREATION: "ssh-ed25519 AAAA" }],
    ["a timeout that is a substitution", "roster", { DRAIN_TIMEOUT: "$(id >/run/pwned)" }],
    ["a cluster's id that is a path", "roster", { ACTION: "delete", CLUSTER_ID: "../../../etc/pve/nodes" }],
    ["an empty cluster's id", "roster", { ACTION: "delete", CLUSTER_ID: "" }],
    ["a step that is a path", "claim", { STEP: "../../../etc/logrotate.d/x" }],
    ["a lock that is a path", "claim", { LOCK: "../../etc/cron.d/x" }],
    ["a mark that is a pattern", "lxc", { MARK: "|" }],
    ["a mark with a pattern in it", "lxc", { MARK: "proxmox-k3s .*/.*/.* 0123456789abcdef" }],
    ["a folder that the gate was not generated with", "push-artifacts", { FROM: "/etc" }],
    ["a folder that leaves one that it was generated with", "push-artifacts", { FROM: "/srv/k3s/.." }],
    ["a file that is not part of a release", "push-artifacts", { FILES: "shadow" }],
    ["an option before a key", "lxc", { AUTHORIZED_KEYS: 'command="id" ssh-ed25519 AAAA' }],
    ["two keys in one line", "lxc", { AUTHORIZED_KEYS: "ssh-ed25519 AAAA\r\nssh-ed25519 BBBB" }],
    ["a label that is an option", "ready", { LABELS: "-shttp://198.18.3.254:18080/" }],
    ["a source with a substitution", "release-sums", { SOURCE: "https://a.lan/$(id)" }],
    ["a template with a command", "preflight", { NODES: "100 a 10.0.0.1 local 8 local:vztmpl/u;id|sh;.tar.zst" }],
  ])("refuses %s", (_, task, values) => {
    expect(knock(gate(), commandOf({ ...argumentsOf(task), ...values }), renderStdin(task))).toMatchObject({
      status: 1,
      cause: expect.stringMatching(/^the gate does not allow this [A-Z_]+ for [a-z-]+$/),
      given: undefined,
    });
  });

  it.each(["PATH", "LD_PRELOAD", "ENV", "WORK", "PERL5OPT", "TAR_OPTIONS", "HOME", "https_proxy", "HTTPS_PROXY"])(
    "refuses to let a caller set %s, in the command or at the head of the script",
    (name) => {
      const extra = `export ${name}='/tmp'\n`;
      for (const [command, stdin] of [
        [commandOf({ ...argumentsOf("claim"), [name]: "/tmp" }), renderStdin("claim")],
        [commandOf(argumentsOf("claim")), `${extra}${renderStdin("claim")}`],
      ] as const)
        expect(knock(gate(), command, stdin)).toMatchObject({ status: 1, given: undefined });
    },
  );

  it("refuses a value given twice, and a task without one of its values", () => {
    const values = argumentsOf("claim");
    const twice = renderStdin("claim", { inputs: { MARK: GOOD.MARK } });
    expect(knock(gate(), commandOf(values), twice).cause).toBe("claim has the argument MARK twice");
    const { MARK: _, ...without } = values;
    expect(knock(gate(), commandOf(without), renderStdin("claim")).cause).toBe("claim needs the argument MARK");
  });

  it("allows no release files if it was generated without a folder", () => {
    const values = argumentsOf("push-artifacts");
    const { cause } = knock(gate({ artifacts: [] }), commandOf(values), renderStdin("push-artifacts"));
    expect(cause).toBe("the gate does not allow this FROM for push-artifacts");
  });

  it("allows no other key in a guest if it was generated with the nodes' keys", () => {
    const fixed = gate({ nodeKeys: [GOOD.AUTHORIZED_KEYS, "ssh-ed25519 BBBB"] });
    const run = (keys: string) =>
      knock(fixed, commandOf({ ...argumentsOf("lxc"), AUTHORIZED_KEYS: keys }), renderStdin("lxc"));
    expect(run(`ssh-ed25519 BBBB\n${GOOD.AUTHORIZED_KEYS}`).status).toBe(DONE);
    expect(run("ssh-ed25519 CCCC").cause).toBe("the gate does not allow this AUTHORIZED_KEYS for lxc");
  });

  it.each([
    ["emptied", () => ""],
    ["cut in half", (text: string) => text.slice(0, text.length / 2)],
    ["cut after a statement", (text: string) => text.slice(0, text.indexOf("umask 077;") + 10)],
    ["without its table", (text: string) => text.slice(0, text.indexOf("__DATA__"))],
  ])("does not report that a script has run if it was %s", (_, damage) => {
    const file = gateWith(damage(renderGate()));
    expect(knock(file, commandOf(argumentsOf("claim")), renderStdin("claim")).status).not.toBe(DONE);
  });

  it("passes on a script's failure", () => {
    const file = gateWith(renderGate().replace("'/bin/sh', '-s'", "'/bin/sh', '-c', 'cat >/dev/null; exit 75'"));
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(shell, "/bin/sh"));
    expect(knock(file, commandOf(argumentsOf("claim")), renderStdin("claim")).status).toBe(75);
  });

  describe("when it is installed again for another version of the program", () => {
    const old = renderStdin("leave").replace("leave=", "removal=leave; leave=");
    const former = (task: string): string =>
      `script ${gateSum(old)} ${task} ${namesOf("leave").join(" ")}\nscript ${"0".repeat(64)} claim STEP VMID\n`;

    it("keeps the deletion scripts of the last gate, because the state still has them", () => {
      const kept = gateWith(renderGate({ former: former("leave") }));
      expect(knock(kept, commandOf(argumentsOf("leave")), old).status).toBe(DONE);
      expect(renderGate({ former: former("leave") })).not.toContain("0".repeat(64));
      // And a second time: a deletion may be two versions old.
      expect(renderGate({ former: renderGate({ former: former("leave") }) })).toContain(`former ${gateSum(old)} leave`);
    });

    it("names the next step if it does not know a script", () => {
      const { status, cause } = knock(gate(), commandOf(argumentsOf("leave")), old);
      expect([status, cause]).toEqual([1, expect.stringContaining("the gate does not know the script")]);
    });
  });

  it("accepts no invalid argument: 5,000 sets of arguments, every task, every argument", () => {
    const tricks = [
      ...[
        "",
        " ",
        "-",
        "--help",
        "-rf",
        "/",
        "/etc/passwd",
        "..",
        "../..",
        "../../../../root/.ssh/x",
        "./a",
        "~root",
        "*",
        "?",
      ],
      ...[
        "[a-z]*",
        "$(id)",
        "`id`",
        "${IFS}id",
        "$((1+1))",
        "a;id",
        "a|id",
        "a&id",
        "a\nid",
        "\nid",
        "id\n",
        "a\r\nb",
        "\t",
      ],
      ...[
        "'",
        "''",
        "'\\''",
        '"',
        "\\",
        "a'b",
        "a b",
        "#",
        "a=b",
        "=a",
        "ä",
        "Ａ",
        "\u202eab",
        "\x7f",
        "1e3",
        "k3s",
        "no",
        "7",
      ],
      ...[
        "-1",
        "+1",
        "0100",
        "١٢٣",
        "1".repeat(40),
        "a".repeat(5000),
        "|",
        ".*",
        "^",
        "%2e%2e",
        "http://a'b",
        "file:///etc",
        "a/../b",
      ],
    ];
    const trick = fc.constantFrom(...tricks);
    const cases = fc.sample(
      fc.constantFrom(...HOST_TASKS).chain((task) =>
        fc.record({
          task: fc.constant(task),
          name: fc.constantFrom(...namesOf(task)),
          trick: fc.oneof(
            trick,
            fc.tuple(trick, trick).map(([one, other]) => one + other),
          ),
          place: fc.constantFrom("whole", "before", "behind", "line"),
        }),
      ),
      { numRuns: 5000, seed: 11 },
    );
    const knocks = cases.map(({ task, name, trick: text, place }) => {
      const good = GOOD[name];
      const value = { whole: text, before: text + good, behind: good + text, line: `${good}\n${text}` }[place] ?? "";
      return { task, name, value };
    });
    // Without a logger: the gate would start it thousands of times.
    const answers = knockMany(gateWith(renderGate({ artifacts: ["/srv/k3s"] }), "/no/logger"), knocks);
    for (const [index, { status, given }] of answers.entries()) {
      const { task, name, value } = knocks[index]!;
      // The program's own table says what is valid; the gate decided without that table.
      const isOfShape = new RegExp(`^(?:${name === "FROM" ? "/srv/k3s" : SHAPES[name]})$`).test(value);
      const expected = isOfShape ? { status: DONE, given: value } : { status: 1, given: undefined };
      expect({ task, name, value, status, given: given?.get(name) }).toEqual({ task, name, value, ...expected });
      expect([...(given?.keys() ?? namesOf(task))].sort()).toEqual([...namesOf(task)].sort());
    }
    const passed = answers.filter(({ given }) => given !== undefined).length;
    expect([passed > 50, passed < 1500]).toEqual([true, true]);
  });

  interface Knock {
    readonly task: TaskName;
    readonly name: ArgumentName;
    readonly value: string;
  }

  /** Tries one set of arguments after the other: one Perl has read the gate, and forks for each. */
  function knockMany(file: string, knocks: readonly Knock[]) {
    const folder = fs.mkdtempSync(path.join(dir, "many-"));
    for (const task of HOST_TASKS) fs.writeFileSync(path.join(folder, task), renderStdin(task));
    const lines = knocks.map(({ task, name, value }) => {
      const command = commandOf({ ...argumentsOf(task), [name]: value });
      return `${task} ${Buffer.from(command).toString("hex")}\n`;
    });
    fs.writeFileSync(path.join(folder, "knocks"), lines.join(""));
    const driver = String.raw`
      my ($gate, $folder, $ran) = @ARGV;
      my ($code, $table) = do { local (@ARGV, $/) = $gate; split /^__DATA__\n/m, <> };
      my $run = eval "sub { $code }" or die $@;
      open my $knocks, '<', "$folder/knocks" or die;
      while (<$knocks>) {
        my ($task, $command) = split;
        unlink $ran;
        if (!fork) {
          open STDIN, '<', "$folder/$task" or die;
          open STDERR, '>', '/dev/null' or die;
          $ENV{SSH_ORIGINAL_COMMAND} = pack 'H*', $command;
          open DATA, '<', \$table or die;
          $run->();
          exit 99;
        }
        wait;
        my $status = $? >> 8;
        my $given = '-';
        if (open my $file, '<', $ran) { local $/; $given = unpack 'H*', <$file> }
        print "$status $given\n";
      }`;
    const result = spawnSync("/usr/bin/perl", ["-e", driver, file, folder, ran], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    expect(result.stderr).toBe("");
    return result.stdout
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [status, hex = "-"] = line.split(" ");
        return {
          status: Number(status),
          given: hex === "-" ? undefined : environment(Buffer.from(hex, "hex").toString()),
        };
      });
  }

  /** The arguments in a script's environment. */
  function environment(text: string): Map<string, string> {
    const pairs = text
      .split("\0")
      .filter(Boolean)
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] as const);
    return new Map(pairs.filter(([name]) => name in GOOD));
  }
});
