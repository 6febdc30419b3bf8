import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { askAgent } from "../../../lab/vms/guestAgent";
import { Qmp } from "../../../lab/vms/qmp";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "agent-socket-"));
const servers: net.Server[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve)))));
afterAll(() => fs.rmSync(folder, { recursive: true }));

type Reply = (
  question: { execute: string; arguments: Record<string, unknown> },
  write: (data: string | Buffer) => void,
) => void;

/** A socket on which `reply` answers each line. Returns its path and the bytes received. */
async function listen(reply: Reply, greeting = ""): Promise<{ at: string; received: Buffer[] }> {
  const at = path.join(folder, `${servers.length}-${Math.random().toString(36).slice(2)}.sock`);
  const received: Buffer[] = [];
  const server = net.createServer((socket) => {
    socket.write(greeting);
    socket.on("data", (data) => {
      received.push(data);
      for (const line of data.toString("latin1").replaceAll("\xff", "").split("\n").filter(Boolean))
        reply(JSON.parse(line) as Parameters<Reply>[0], (answer) => socket.write(answer));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return { at, received };
}

/** Answers a synchronisation as the agent does, and everything else with `answer`. */
const agent =
  (answer: (command: string, args: Record<string, unknown>) => string | Buffer | undefined, stale = ""): Reply =>
  ({ execute, arguments: args }, write) => {
    if (execute === "guest-sync-delimited")
      return write(
        Buffer.concat([Buffer.from(stale), Buffer.from([0xff]), Buffer.from(`{"return": ${Number(args["id"])}}\n`)]),
      );
    const text = answer(execute, args);
    if (text !== undefined) write(text);
  };

const quick = { syncMs: 200, answerMs: 200 };

test("sends its command after the synchronisation, and returns what the agent returns", async () => {
  const { at, received } = await listen(
    agent((command, args) => `${JSON.stringify({ return: { command, args, name: "Knoten-ä" } })}\n`),
  );
  expect(await askAgent(at, 101, "exec", { path: "uname" })).toEqual({
    ...{ command: "guest-exec", args: { path: "uname" }, name: "Knoten-ä" },
  });
  expect(received[0]![0]).toBe(0xff);
});

test("a late answer to an earlier client is not used", async () => {
  const { at } = await listen(agent(() => '{"return": "mine"}\n', '{"return": {"old": 1}}\n{"return": 7}\n{"half'));
  expect(await askAgent(at, 101, "ping", {})).toBe("mine");
});

test("an answer may come in pieces", async () => {
  const { at } = await listen((question, write) => {
    if (question.execute === "guest-sync-delimited") return agent(() => undefined)(question, write);
    write('{"ret');
    setTimeout(() => write('urn": 5}'), 20);
    setTimeout(() => write("\n"), 40);
  });
  expect(await askAgent(at, 101, "get-time", {})).toBe(5);
});

test("has Proxmox VE's messages for an agent that does not run, for no answer, and for the agent's errors", async () => {
  const notRunning = { status: 500, message: "QEMU guest agent is not running" };
  await expect(askAgent(path.join(folder, "none.sock"), 101, "ping", {}, quick)).rejects.toMatchObject(notRunning);
  const mute = await listen(() => {});
  await expect(askAgent(mute.at, 101, "ping", {}, quick)).rejects.toMatchObject(notRunning);
  const silent = await listen(agent(() => undefined));
  await expect(askAgent(silent.at, 101, "exec", {}, quick)).rejects.toMatchObject({
    message: "VM 101 qga command 'guest-exec' failed - got timeout",
  });
  const refusing = await listen(agent(() => '{"error": {"class": "GenericError", "desc": "no such file"}}\n'));
  await expect(askAgent(refusing.at, 101, "file-open", {}, quick)).rejects.toMatchObject({
    message: "Agent error: no such file",
  });
});

test("a shutdown succeeds without an answer", async () => {
  const { at } = await listen(agent(() => undefined));
  expect(await askAgent(at, 101, "shutdown", {}, quick)).toEqual({});
});

describe("QEMU's monitor", () => {
  const greeting = '{"QMP": {"version": {}, "capabilities": []}}\n';
  const monitor: Reply = ({ execute, arguments: args }, write) => {
    if (execute === "qmp_capabilities") return write('{"return": {}}\n');
    if (execute === "device_del") {
      write('{"event": "DEVICE_DELETED", "data": {"path": "/x"}}\n{"return": {}}\n');
      setTimeout(() => write(`{"event": "DEVICE_DELETED", "data": {"device": "${String(args["id"])}"}}\n`), 20);
      return;
    }
    write(`{"error": {"class": "GenericError", "desc": "no ${execute}"}}\n`);
  };

  test("distinguishes answers from events, and waits for a given event", async () => {
    const { at } = await listen(monitor, greeting);
    await Qmp.session(at, async (qmp) => {
      expect(await qmp.execute("device_del", { id: "scsi1" })).toEqual({});
      await qmp.event("DEVICE_DELETED", ({ device }) => device === "scsi1");
    });
  });

  test("fails with QEMU's own message", async () => {
    const { at } = await listen(monitor, greeting);
    await expect(Qmp.session(at, (qmp) => qmp.execute("cont"))).rejects.toThrow("no cont");
  });
});
