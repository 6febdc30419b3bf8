import { acknowledgement, readAnswer, UnacknowledgedError } from "../../../remote/answer";

describe("the answer of a script", () => {
  const done = acknowledgement("node-1-host-key", "create");
  const read = (stdout: string) => readAnswer("host-key", "node-1-host-key", "create", stdout);

  it("comes before the acknowledgement, and has the task's form", () => {
    expect(read(`ssh-ed25519 AAAA\n${done}\n`)).toBe("ssh-ed25519 AAAA");
    expect(readAnswer("claim", "a-claim", "update", `${acknowledgement("a-claim", "update")}\n`)).toBe("");
  });

  it("is one of the task's allowed words, if it has some", () => {
    const word = (answer: string) =>
      readAnswer("install-k3s", "a-k3s", ["create", "update"], `${answer}\n${acknowledgement("a-k3s", "update")}\n`);
    expect([word("restarted"), word("unchanged")]).toEqual(["restarted", "unchanged"]);
    for (const other of ["", "K3s v1.36.3+k3s1 on a: unchanged", "unchanged\nrestarted", "restarted|unchanged"])
      expect(() => word(other)).toThrow("a-k3s: the answer does not have the form that the task install-k3s must give");
  });

  it.each([
    ["nothing at all, as from an empty gate", ""],
    ["an answer alone", "ssh-ed25519 AAAA\n"],
    ["another step's acknowledgement", `ssh-ed25519 AAAA\n${acknowledgement("node-2-host-key", "create")}\n`],
    ["another action's", `ssh-ed25519 AAAA\n${acknowledgement("node-1-host-key", "delete")}\n`],
    ["the acknowledgement inside a line", `ssh-ed25519 ${done}`],
  ])("does not count if the machine prints %s", (_, stdout) => {
    expect(() => read(stdout)).toThrow(UnacknowledgedError);
  });

  it.each(["", "no key", "ssh-ed25519 AAAA\nssh-ed25519 BBBB", "ssh-ed25519 AAAA $(id)"])(
    "is refused if it has another form, and is not shown: %j",
    (answer) => {
      const failure = (() => {
        try {
          return read(`${answer}\n${done}`);
        } catch (error) {
          return (error as Error).message;
        }
      })();
      expect(failure).toBe("node-1-host-key: the answer does not have the form that the task host-key must give");
    },
  );
});
