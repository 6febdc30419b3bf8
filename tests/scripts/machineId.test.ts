import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/*
 * What a virtual machine does about the machine id of its template, on files in a scratch folder. The mount is a real one, and needs root
 * on Linux; `systemd-machine-id-setup` is a double that writes an id.
 */

const SCRIPT = path.join(__dirname, "../../scripts/host/files/guest-machine-id.sh");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "machine-id-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

const UUID = "0d9a3f51-5f0e-4a1a-9d3b-0c1f6a7b8c9d";
const [TEMPLATES, OWN, NEW] = ["1".repeat(32), "2".repeat(32), "3".repeat(32)];

class Machine {
  private readonly root = fs.mkdtempSync(path.join(scratch, "vm-"));
  private at = (file: string): string => path.join(this.root, file);

  constructor(id: string) {
    this.write("etc/machine-id", id === "" ? "" : `${id}\n`);
    this.write("dmi/product_uuid", `${UUID}\n`);
    this.setUp();
  }

  /** What `systemd-machine-id-setup` does. */
  setUp(shell = `echo ${NEW} >${this.at("etc/machine-id")}`): void {
    this.write("bin/systemd-machine-id-setup", `#!/bin/sh\n${shell}\n`);
    fs.chmodSync(this.at("bin/systemd-machine-id-setup"), 0o755);
  }

  write(file: string, text: string): void {
    fs.mkdirSync(path.dirname(this.at(file)), { recursive: true });
    fs.writeFileSync(this.at(file), text);
  }

  /** The age of the machine id by the machine's clock, which may have jumped since. */
  age(seconds: number): void {
    const then = Date.now() / 1000 - seconds;
    fs.utimesSync(this.at("etc/machine-id"), then, then);
  }

  /** Runs the script. @param first shell that runs before it, in the same mount namespace and with the same paths */
  run(first = ":") {
    const text = [first, fs.readFileSync(SCRIPT, "utf8")]
      .join("\n")
      .replaceAll("/etc/machine-id", this.at("etc/machine-id"))
      .replaceAll("/run/machine-id", this.at("run/machine-id"))
      .replaceAll("/sys/class/dmi/id", this.at("dmi"))
      .replaceAll("/var/lib", this.at("var/lib"));
    const env = { PATH: `${this.at("bin")}:${process.env["PATH"]}` };
    const { status, stdout, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", text], { encoding: "utf8", env });
    return { status, said: stdout + stderr, id: fs.readFileSync(this.at("etc/machine-id"), "utf8").trim() };
  }

  dbus(): string {
    return fs.readFileSync(this.at("var/lib/dbus/machine-id"), "utf8").trim();
  }
}

const kept = (id: string) => ({ status: 0, said: "", id });

describe.each([0, 3600, -3600, 86_400 * 365])("the machine id is %d s old by a clock that may have jumped", (age) => {
  test("the template's is replaced, also in the file that D-Bus reads", () => {
    const machine = new Machine(TEMPLATES);
    machine.write("var/lib/dbus/machine-id", `${TEMPLATES}\n`);
    machine.age(age);
    expect(machine.run()).toEqual({ status: 0, said: "new machine id\n", id: NEW });
    expect(machine.dbus()).toBe(NEW);
  });

  test("the template's is replaced if this boot has another one in memory", () => {
    const machine = new Machine(TEMPLATES);
    machine.write("run/machine-id", `${OWN}\n`);
    machine.age(age);
    expect(machine.run().id).toBe(NEW);
  });

  test("one that the first boot has mounted stays, because the file cannot be removed", () => {
    const machine = new Machine("");
    machine.write("run/machine-id", `${OWN}\n`);
    machine.age(age);
    const mounted = machine.run("mount --bind /run/machine-id /etc/machine-id; trap 'cat /etc/machine-id' EXIT");
    expect(mounted).toEqual({ status: 0, said: `${OWN}\n`, id: "" });
  });

  test("one that the first boot has written to the disk since stays", () => {
    const machine = new Machine(OWN);
    machine.write("run/machine-id", `${OWN}\n`);
    machine.age(age);
    expect(machine.run()).toEqual(kept(OWN));
  });

  test("one that is the machine's UUID stays: such a machine could write to its disk from the start", () => {
    const own = UUID.replaceAll("-", "");
    const machine = new Machine(own);
    machine.age(age);
    expect(machine.run()).toEqual(kept(own));
  });

  test("a node's always stays", () => {
    const machine = new Machine(TEMPLATES);
    machine.write("var/lib/proxmox-k3s/prepared", "");
    machine.age(age);
    expect(machine.run()).toEqual(kept(TEMPLATES));
  });
});

test("a machine without a UUID gets a new id", () => {
  const machine = new Machine(TEMPLATES);
  machine.write("dmi/product_uuid", "");
  expect(machine.run().id).toBe(NEW);
});

test("if no id could be made, the next run makes one", () => {
  const machine = new Machine(TEMPLATES);
  machine.setUp("echo 'no random numbers' >&2; exit 1");
  expect(machine.run()).toEqual({ status: 1, said: "no random numbers\n", id: "" });
  machine.setUp();
  expect(machine.run()).toEqual({ status: 0, said: "new machine id\n", id: NEW });
});
