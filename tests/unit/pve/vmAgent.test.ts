import type { PveClient } from "../../support/httpClient";
import { SimulatedNode, vmFields } from "../../support/pveNode";
import { startVmNode, VM_PRIVILEGES, vmClient } from "../../support/vmNode";

let pve: SimulatedNode;
let client: PveClient;
beforeEach(async () => {
  pve = await startVmNode(
    {},
    {
      run: (vmid, command, input) => ({
        exitcode: command[0] === "false" ? 1 : 0,
        stdout: `${vmid} ${command.join(" ")} ${input}`,
      }),
    },
  );
  const privileges = [...VM_PRIVILEGES, "VM.GuestAgent.Unrestricted"];
  client = pve.token(pve.newToken("agents", privileges));
  await client.run(client.post(qemu, vmFields(101, { start: 1 })));
  await pve.idle();
});
afterEach(() => pve.stop());

const qemu = "/nodes/pve/qemu";
const agent = `${qemu}/101/agent`;
const refusal = (reason: string) => ({ status: 500, reason });

test("answers with the settings that cloud-init has applied", async () => {
  expect((await client.post(`${agent}/ping`)).body.data).toEqual({ result: {} });
  expect((await client.get(`${agent}/get-host-name`)).body.data.result).toEqual({ "host-name": "k3s-101" });
  expect((await client.get(`${agent}/get-osinfo`)).body.data.result).toMatchObject({ id: "debian" });
  expect((await client.post(agent, { command: "get-host-name" })).body.data.result).toEqual({ "host-name": "k3s-101" });
});

test("runs a command, and returns its output once and unchanged", async () => {
  const { pid } = (await client.post(`${agent}/exec`, { command: ["echo", "a b"], "input-data": "typed" })).body.data;
  expect((await client.get(`${agent}/exec-status`, { pid })).body.data).toEqual({
    ...{ exited: 1, exitcode: 0, "out-data": "101 echo a b typed" },
  });
  expect(await client.get(`${agent}/exec-status`, { pid })).toMatchObject({ status: 500 });
  const failing = (await client.postJson(`${agent}/exec`, { command: ["false"] })).body.data.pid as number;
  expect((await client.get(`${agent}/exec-status`, { pid: failing })).body.data).toMatchObject({ exitcode: 1 });
});

test("reads a file: each machine has its own SSH host key", async () => {
  const file = "/etc/ssh/ssh_host_ed25519_key.pub";
  const read = async (vmid: number) =>
    (await client.get(`${qemu}/${vmid}/agent/file-read`, { file })).body.data.content as string;
  expect(await read(101)).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43} root@k3s-101\n$/);
  await client.run(client.post(qemu, vmFields(103, { start: 1 })));
  await pve.idle();
  expect(await read(103)).not.toBe(await read(101));
  expect(await client.get(`${agent}/file-read`, { file: "/none" })).toMatchObject(
    refusal("Agent error: failed to open file '/none': No such file or directory"),
  );
  expect((await client.get(`${agent}/file-read`, { file: "/etc/hostname", count: 3 })).body.data).toEqual({
    ...{ content: "k3s", "bytes-read": 3, truncated: 1 },
  });
});

test("writes a file, and reads it from any offset", async () => {
  const file = "/etc/k3s.txt";
  const write = (content: string, encode: string) => client.post(`${agent}/file-write`, { file, content, encode });
  const read = async (more: Record<string, number> = {}) =>
    (await client.get(`${agent}/file-read`, { file, ...more })).body.data as unknown;
  expect((await write("ein Körper\n", "1")).body.data).toBeNull();
  expect(await read()).toEqual({ content: "ein Körper\n", "bytes-read": 12 });
  expect(await read({ offset: 4, count: 2 })).toEqual({ content: "K\ufffd", "bytes-read": 2, truncated: 1 });
  await write(Buffer.from("again").toString("base64"), "0");
  expect(await read()).toMatchObject({ content: "again" });
  expect(await vmClient(pve).post(`${agent}/file-write`, { file, content: "x" })).toMatchObject({ status: 403 });
});

test("says what is missing if no agent answers", async () => {
  const notRunning = refusal("QEMU guest agent is not running");
  pve.faults.set({ kind: "no-agent", guest: 101 });
  expect(await client.post(`${agent}/ping`)).toMatchObject(notRunning);
  pve.faults.clear();
  expect(await client.post(`${agent}/ping`)).toMatchObject({ status: 200 });
  await client.run(client.post(`${qemu}/101/status/stop`));
  expect(await client.post(`${agent}/ping`)).toMatchObject(refusal("VM 101 is not running"));
  await client.put(`${qemu}/101/config`, { agent: "0" });
  await client.run(client.post(`${qemu}/101/status/start`));
  expect(await client.post(`${agent}/ping`)).toMatchObject(notRunning);
  await client.run(client.post(`${qemu}/101/status/stop`));
  await client.put(`${qemu}/101/config`, { delete: "agent" });
  expect(await client.post(`${agent}/ping`)).toMatchObject(refusal("No QEMU guest agent configured"));
});

test("a machine without an address, now or for good, answers without one", async () => {
  await client.run(client.post(`${qemu}/101/status/stop`));
  pve.faults.set({ kind: "no-address", guest: 101, count: 1 });
  await client.run(client.post(`${qemu}/101/status/start`));
  const { body } = await client.get(`${agent}/network-get-interfaces`);
  expect(body.data.result[1]["ip-addresses"]).toEqual([]);
});

test("commands need the privilege for all of them, and read-only calls need less", async () => {
  const auditor = vmClient(pve);
  expect(await auditor.post(`${agent}/ping`)).toMatchObject({ status: 200 });
  expect(await auditor.post(`${agent}/exec`, { command: ["true"] })).toMatchObject({
    status: 403,
    reason: "Permission check failed (/vms/101, VM.GuestAgent.Unrestricted)",
  });
  expect(await pve.token().post(`${agent}/ping`)).toMatchObject({ status: 403 });
});
