import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/* What the program reads in K3s' journal after a start. tests/lab/k3sStandIn.test.ts shows that K3s prints it. */

const script = path.join(__dirname, "../../scripts/node/k3s-refusals.sh");
const PASSWORD = `level=info msg="Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate hostname"`;

interface Start {
  readonly journal: readonly string[];
  readonly joins?: boolean;
  readonly restarts?: number;
}

/** The cause with which an agent's step fails; empty while the step waits. */
const refusal = (...journal: string[]): string => refusalOf({ journal });

function refusalOf({ journal, joins = true, restarts = 0 }: Start): string {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), "journal-"));
  fs.writeFileSync(path.join(work, "journal"), journal.map((line) => `${line}\n`).join(""));
  const env = { PATH: process.env["PATH"], WORK: work, NAME: "node-1", VERSION: "v1.36.3+k3s1", unit: "k3s-agent" };
  const stubs = `fail() { printf '%s' "$1" >&3; exit 1; }; say() { :; }; take_back() { return 1; }; joins() { return ${joins ? 0 : 1}; }
    take_back_config() { return 1; }; FORMER=/dev/null; systemctl() { echo ${restarts}; }`;
  const stdio = ["ignore", "ignore", "pipe", "pipe"] as const;
  const run = spawnSync("sh", ["-euc", `${stubs}\n. ${script}\ncheck_refusals`], {
    env,
    stdio: [...stdio],
    encoding: "utf8",
  });
  fs.rmSync(work, { recursive: true });
  expect(run.stderr).toBe("");
  return run.output[3]!;
}

test("a name that another machine has ends the step, but only after a while: a slow server prints the same", () => {
  expect(refusal(...Array<string>(4).fill(PASSWORD))).toBe("");
  expect(refusal(...Array<string>(5).fill(PASSWORD))).toBe(
    "k3s-agent on node-1: the cluster has another machine with the name node-1",
  );
});

test("a token of another cluster ends the step at once; it waits for a server that does not answer", () => {
  expect(refusal("token CA hash does not match the Cluster CA certificate hash: a != b")).toContain(
    "is not the one in the token",
  );
  expect(refusal("failed to get CA certs: Get https://127.0.0.1:6444/cacerts: EOF")).toBe("");
});

describe("a first server that exits because a part of it takes too long", () => {
  const SLOW = [
    `level=fatal msg="Error: kube-apiserver exited: FinishRequest: post-timeout activity - time-elapsed: 17.6s, panicked: false, err: context deadline exceeded"`,
    `level=fatal msg="leaderelection lost for k3s"`,
  ];
  const server = (journal: readonly string[], restarts: number): string =>
    refusalOf({ journal, restarts, joins: false });

  test.each(SLOW)("systemd starts it again: %s", (line) => expect(server([line, line], 2)).toBe(""));

  test("the third exit is final, and the error says what helps", () =>
    expect(server([...SLOW, SLOW[0]!], 3)).toBe(
      `k3s-agent on node-1: it exits again and again, because a part of it takes too long: ${SLOW[0]}`,
    ));

  test("another fatal line is final, and is shown", () => {
    const line = `level=fatal msg="Error: flag provided but not defined: -x"`;
    expect(server([SLOW[0]!, line, SLOW[1]!], 2)).toBe(`k3s-agent on node-1: ${line}`);
  });

  test("so is an exit without output", () =>
    expect(server(["started"], 1)).toBe("k3s-agent on node-1: K3s exits right after its start"));
});

test("every refusal has one of the texts that the search of the journal looks for first", () => {
  const text = fs.readFileSync(script, "utf8");
  const signs = new RegExp(text.match(/^SIGNS='(.*)'$/m)![1]!.replaceAll("\\|", "|"));
  const [, body = ""] = text.split("check_each_refusal() {");
  const lines = [...body.matchAll(/seen '([^']+)'/g)].map(([, line]) => line!);
  expect(lines.length).toBeGreaterThan(9);
  expect(lines.filter((line) => !signs.test(line))).toEqual([]);
  expect(text).toMatch(/^TOO_SLOW='level=fatal/m);
});
