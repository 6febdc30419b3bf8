import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { pidFile, qemuPid } from "../../../lab/vms/process";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "qemu-process-"));
afterAll(() => fs.rmSync(root, { recursive: true }));

/** A host on which the machine's PID file has 42, and process 42 has this command line. */
function host(words: readonly string[]): void {
  const write = (file: string, text: string) => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  write(pidFile(101), "42\n");
  write("proc/42/cmdline", words.map((word) => `${word}\0`).join(""));
}

test.each([
  ["its own QEMU", ["/usr/bin/qemu-system-x86_64", "-daemonize", "-pidfile", pidFile(101)], 42],
  ["another machine's QEMU, which got the PID later", ["qemu-system-x86_64", "-pidfile", pidFile(102)], undefined],
  ["another program", ["sleep", pidFile(101)], undefined],
  ["a zombie process", [], undefined],
])("a machine runs if the process in its PID file is its QEMU: %s", (_, words, pid) => {
  host(words);
  expect(qemuPid(101, root)).toBe(pid);
});

test("a machine that was never started does not run", () => expect(qemuPid(199, root)).toBeUndefined());
