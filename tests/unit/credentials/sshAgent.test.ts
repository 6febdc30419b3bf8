import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import { agentProblem } from "../../../credentials/sshAgent";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "agent-"));
const socket = path.join(folder, "agent");
const saved = process.env["SSH_AUTH_SOCK"];
let agent: net.Server;
beforeAll(async () => {
  agent = net.createServer();
  await new Promise<void>((resolve) => agent.listen(socket, resolve));
});
afterAll(() => {
  agent.close();
  fs.rmSync(folder, { recursive: true, force: true });
  if (saved === undefined) delete process.env["SSH_AUTH_SOCK"];
  else process.env["SSH_AUTH_SOCK"] = saved;
});

/** With this value of the variable. Another process connects, so this one may block while it waits. */
function problem(value: string | undefined): string | undefined {
  if (value === undefined) delete process.env["SSH_AUTH_SOCK"];
  else process.env["SSH_AUTH_SOCK"] = value;
  return agentProblem()?.seen;
}

it("accepts a missing agent and a running one", () => {
  expect(problem(undefined)).toBeUndefined();
  expect(problem("")).toBeUndefined();
  expect(problem(socket)).toBeUndefined();
});

it("names an agent that does not exist, and one of which only the socket is left", () => {
  expect(problem(path.join(folder, "none"))).toMatch(
    /^SSH_AUTH_SOCK names .*\/none, where no agent answers \(ENOENT\)$/,
  );
  fs.writeFileSync(path.join(folder, "left"), "");
  expect(problem(path.join(folder, "left"))).toContain("(ECONNREFUSED)");
});
