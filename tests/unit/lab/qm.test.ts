import { callApiAt } from "../../../lab/host/pctApi";
import { runQm } from "../../../lab/host/qmCommands";
import type { SimulatedNode } from "../../support/pveNode";
import { startVmNode } from "../../support/vmNode";

let pve: SimulatedNode;
beforeAll(async () => {
  pve = await startVmNode(
    {},
    { run: (_, command, input) => ({ exitcode: 3, stdout: `${command.join(" ")}|${input}` }) },
  );
});
afterAll(() => pve.stop());

/** What the command prints. */
async function qm(...words: string[]): Promise<string[]> {
  return qmWith("typed", ...words);
}

async function qmWith(typed: string, ...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  await runQm(
    {
      callApi: (...call) => callApiAt(pve.socket, ...call),
      etcPve: pve.etcPve,
      print: (line) => lines.push(line),
      input: async () => typed,
    },
    words,
  );
  return lines;
}

test("create, change and destroy a machine by `qm`", async () => {
  expect(await qm("list")).toEqual([]);
  const scsi0 = "local-lvm:0,import-from=local:import/debian-12.qcow2";
  const network = ["--net0", "virtio,bridge=vmbr0", "--ipconfig0", "ip=198.18.0.20/24"];
  await qm("create", "101", "--name", "k3s-101", "--memory", "2048", "--scsi0", scsi0, "--agent", "1", ...network);
  expect(await qm("status", "101")).toEqual(["status: stopped"]);
  await qm("set", "101", "--cores", "2", "--description", "a: b");
  expect(await qm("config", "101")).toEqual(
    expect.arrayContaining(["agent: 1", "cores: 2", "description: a%3A b", "memory: 2048", "name: k3s-101"]),
  );
  await qm("resize", "101", "scsi0", "8G");
  await qm("start", "101");
  expect(await qm("status", "101")).toEqual(["status: running"]);
  expect(await qm("list")).toEqual([
    "      VMID NAME                 STATUS     MEM(MB)    BOOTDISK(GB) PID       ",
    "       101 k3s-101              running    2048               8.00 10101     ",
  ]);
  expect(await qm("guest", "cmd", "101", "ping")).toEqual([]);
  expect(await qm("guest", "cmd", "101", "get-host-name")).toEqual(['{\n   "host-name" : "k3s-101"\n}']);
  expect(await qm("guest", "exec", "101", "--pass-stdin", "1", "--", "uname", "-r")).toEqual([
    '{\n   "exitcode" : 3,\n   "exited" : 1,\n   "out-data" : "uname -r|typed"\n}',
  ]);
  expect((await qm("cloudinit", "dump", "101", "user")).join("")).toContain("hostname: k3s-101\n");
  await qm("stop", "101");
  await qm("destroy", "101", "--purge");
  expect(await qm("list")).toEqual([]);
});

test("a command gets up to 1 MiB of standard input, more than by the API", async () => {
  await qm("create", "103", "--agent", "1", "--start", "1");
  const exec = (bytes: number) => qmWith("x".repeat(bytes), "guest", "exec", "103", "--pass-stdin", "1", "--", "cat");
  expect((await exec(2 ** 20)).join("").length).toBeGreaterThan(2 ** 20);
  await expect(exec(2 ** 20 + 1)).rejects.toThrow("'input-data' (passed by stdin) is limited to 1 MiB, aborting");
  await qm("stop", "103");
  await qm("destroy", "103");
});

test("a template and its clone; a leftover lock is removed", async () => {
  await qm("create", "9000", "--scsi0", "local-lvm:2");
  await qm("template", "9000");
  await qm("clone", "9000", "102", "--name", "copy", "--full", "0");
  pve.faults.set({ kind: "lock", guest: 102 });
  await expect(qm("start", "102")).rejects.toThrow("VM is locked (backup)");
  await qm("unlock", "102");
  await qm("start", "102");
  await qm("shutdown", "102");
});

test("errors are printed as `qm` does", async () => {
  await expect(qm("guest", "exec", "109", "--", "true")).rejects.toThrow(
    "Configuration file 'nodes/pve/qemu-server/109.conf' does not exist",
  );
  await expect(qm("nonsense")).rejects.toThrow(/^ERROR: unknown command 'qm nonsense'\nUSAGE: qm .*\|guest exec\|/);
  await expect(qm("clone", "9000")).rejects.toThrow("400 not enough arguments");
});
