import { explain, type ScriptFailure, wasReached } from "../../remote/scriptFailure";

/** The command plugin's messages are those of tests/engine/commandPlugin.test.ts, which checks them with the real plugin. */

const onNode = (message: string): string | undefined => explained({ message });
const explained = (failure: Partial<ScriptFailure> & { readonly message: string }): string | undefined =>
  explain({ step: "k3s-worker-01-k3s", address: "192.168.2.21", isHost: false, ...failure });

describe("a script that failed", () => {
  const failed = (output: string): string | undefined =>
    onNode(
      `Process exited with status 1: running "# a title\\nexport STEP='k3s-worker-01-k3s'\\nexec sh -s":\n${output}`,
    );

  test("is explained by its own error and its next step, without the command and its other output", () => {
    expect(
      failed("installing\n\nerror: k3s-worker-01-k3s: no:\n  two lines\nnext:  pulumi up\nthe log is kept\n"),
    ).toBe("k3s-worker-01-k3s: no:\n  two lines\nnext:  pulumi up");
  });

  test("needs no next step", () => expect(failed("error: k3s-worker-01-k3s: no\n")).toBe("k3s-worker-01-k3s: no"));

  test("has no own error if it printed none, or another step's", () => {
    expect(failed("killed\n")).toBeUndefined();
    expect(failed("error: k3s-worker-02-k3s: no\n")).toBeUndefined();
  });
});

test.each([
  ["after 20 failed attempts: dial tcp 192.168.2.21:22: connect: no route to host", false],
  ["after 2 failed attempts: ssh: handshake failed: ssh: host key mismatch", false],
  ['Process exited with status 1: running "exec sh -s":\ngave up after 3 failed attempts: no server', true],
  ["wait: remote command exited without exit status or exit signal", true],
])("%s: whether the script may have begun is %s", (message, expected) => {
  expect(wasReached(message)).toBe(expected);
});

test("a node that cannot be reached: the hint starts its guest", () => {
  expect(onNode("after 20 failed attempts: dial tcp 192.168.2.21:22: connect: no route to host")).toBe(
    "k3s-worker-01-k3s: 192.168.2.21 cannot be reached by SSH: dial tcp 192.168.2.21:22: connect: no route to host\n" +
      "next:  pulumi up --refresh, which starts a stopped guest",
  );
});

test("a node with another host key: the hint has the command that reads it again", () => {
  expect(onNode("after 20 failed attempts: ssh: handshake failed: ssh: host key mismatch")).toBe(
    "k3s-worker-01-k3s: 192.168.2.21 has another SSH host key than before\n" +
      "next:  if the guest has new host keys, pulumi up --replace '**::k3s-worker-01-host-key'; if not, another machine uses its address",
  );
});

test("a deletion that reaches its time limit while it connects", () => {
  expect(explained({ step: "k3s-worker-01-leave", isHost: true, message: "context deadline exceeded" })).toBe(
    "k3s-worker-01-leave: the Proxmox host (192.168.2.21) cannot be reached by SSH: no answer in time\n" +
      "next:  run npx proxmox-k3s doctor to find the cause, then pulumi up",
  );
});

test("a machine that stops while a script runs", () => {
  expect(onNode(`wait: remote command exited without exit status or exit signal: running "exec sh -s":\n`)).toBe(
    "k3s-worker-01-k3s: the connection to 192.168.2.21 was lost while the script ran\n" +
      "next:  pulumi up --refresh, which starts a stopped guest",
  );
});
