import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/* What the program reads in K3s' journal after a start. That K3s says so: tests/lab/k3sStandIn.test.ts. */

const script = path.join(__dirname, "../../../scripts/node/k3s-refusals.sh");
const PASSWORD = `level=info msg="Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate hostname"`;

/** The cause that ends an agent's step; empty while it waits. */
function refusal(...journal: string[]): string {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), "journal-"));
  fs.writeFileSync(path.join(work, "journal"), journal.map((line) => `${line}\n`).join(""));
  const env = { PATH: process.env["PATH"], WORK: work, NAME: "node-1", VERSION: "v1.36.3+k3s1", unit: "k3s-agent" };
  const stubs = `fail() { printf '%s' "$1" >&3; exit 1; }; say() { :; }; take_back() { return 1; }; joins() { return 0; }
    take_back_config() { return 1; }; FORMER=/dev/null; systemctl() { echo 0; }`;
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

test("a name that another machine has ends the step, but not as soon as a server that is slow says the same", () => {
  expect(refusal(...Array<string>(4).fill(PASSWORD))).toBe("");
  expect(refusal(...Array<string>(5).fill(PASSWORD))).toBe(
    "k3s-agent on node-1: the cluster knows another machine by the name node-1",
  );
});

test("a token of another cluster ends it at once, a server that does not answer is waited for", () => {
  expect(refusal("token CA hash does not match the Cluster CA certificate hash: a != b")).toContain(
    "is not the one in the token",
  );
  expect(refusal("failed to get CA certs: Get https://127.0.0.1:6444/cacerts: EOF")).toBe("");
});
