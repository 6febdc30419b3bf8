import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/* How a node gets K3s' registries.yaml: scripts/node/registries.sh in a real sh, on a scratch folder. */

const scripts = path.join(__dirname, "../../scripts");
const root = fs.mkdtempSync(path.join(os.tmpdir(), "registries-"));
afterAll(() => fs.rmSync(root, { recursive: true }));

const YAML = "configs:\n  registry.lan:5000:\n    auth:\n      password: sesame";
const CAS = "# registry.lan:5000\nPEM 1\nPEM 2\n# other.lan\nPEM 3";

let at = "";
beforeEach(() => {
  at = fs.mkdtempSync(path.join(root, "node-"));
  fs.mkdirSync(path.join(at, "etc/rancher/k3s"), { recursive: true });
});

const FILE = "etc/rancher/k3s/registries.yaml";
const read = (file: string) => fs.readFileSync(path.join(at, file), "utf8");
const write = (file: string, text: string) => fs.writeFileSync(path.join(at, file), text);
const files = () =>
  fs
    .readdirSync(path.join(at, "etc/rancher/k3s"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(path.join(at, "etc/rancher/k3s"), path.join(entry.parentPath, entry.name)))
    .sort();

interface Run {
  readonly output: string;
  /** The hash of what K3s is started with. */
  readonly sum: string;
}

/** Runs the script as a step does: with the secrets in files, if the config has registries. */
function run(command: string, secrets?: { readonly yaml: string; readonly cas: string }): Run {
  const work = fs.mkdtempSync(path.join(root, "work-"));
  if (secrets !== undefined) {
    fs.writeFileSync(path.join(work, "secret.REGISTRIES_YAML"), `${secrets.yaml}\n`);
    fs.writeFileSync(path.join(work, "secret.REGISTRY_CAS"), `${secrets.cas}\n`);
  }
  const text = ["lib/task", "node/registries"]
    .map((part) => fs.readFileSync(path.join(scripts, `${part}.sh`), "utf8"))
    .concat(command, 'printf "sum %s\\n" "$(registries_inputs | sha256sum)"', 'ls -A "$WORK"')
    .join("\n")
    .replaceAll(/\/(etc\/rancher|var\/lib\/proxmox-k3s)/g, `${at}/$1`);
  const env = { PATH: process.env["PATH"], WORK: work, RUNNER: String(process.pid), STEP: "node-1-k3s" };
  const { status, stdout, stderr } = spawnSync("sh", ["-c", text], { encoding: "utf8", env });
  expect([status, stderr]).toEqual([0, ""]);
  const [, output = "", sum = "", left = ""] = /^([^]*)sum (\w+) .*\n([^]*)$/.exec(stdout) ?? [];
  // The password is in no file of the step's folder, except the one that is deleted at its end.
  expect(left.split("\n").filter((name) => name !== "" && !name.startsWith("secret."))).toEqual([]);
  return { output: output.replaceAll(at, ""), sum };
}

const INSTALL = "if install_registries; then say changed; else say unchanged; fi";
const install = (yaml?: string, cas = CAS): Run => run(INSTALL, yaml === undefined ? undefined : { yaml, cas });

test("only root can read the file, each CA's file has its registry's name, and a second run changes nothing", () => {
  const first = install(YAML);
  expect(first.output).toBe("changed\n");
  expect(files()).toEqual(["registries.yaml", "registries/other.lan.pem", "registries/registry.lan:5000.pem"]);
  expect(read(FILE)).toBe(`${YAML}\n`);
  expect(read("etc/rancher/k3s/registries/registry.lan:5000.pem")).toBe("PEM 1\nPEM 2\n");
  expect(fs.statSync(path.join(at, FILE)).mode & 0o777).toBe(0o600);
  expect(install(YAML)).toEqual({ output: "unchanged\n", sum: first.sum });
});

test("a changed password, a changed CA and a removed CA change what K3s is started with", () => {
  const { sum } = install(YAML);
  const sums = [
    install(YAML.replace("sesame", "mustard")),
    install(YAML.replace("sesame", "mustard"), CAS.replace("PEM 3", "PEM 4")),
    install(YAML.replace("sesame", "mustard"), ""),
  ];
  expect(sums.map(({ output }) => output)).toEqual(Array(3).fill("changed\n"));
  expect(new Set([sum, ...sums.map((each) => each.sum)]).size).toBe(4);
  expect(files()).toEqual(["registries.yaml"]);
});

test("removes what the config no longer has", () => {
  install(YAML);
  expect(install().output).toBe("changed\n");
  expect(files()).toEqual([]);
  expect(install().output).toBe("unchanged\n");
});

test("a node without registries starts as it did before it had any, even if somebody wrote files there", () => {
  const nothing = run("").sum;
  write(FILE, "mirrors: {}\n");
  expect(install()).toEqual({ output: "unchanged\n", sum: nothing });
  expect(read(FILE)).toBe("mirrors: {}\n");
});

test("a file that somebody wrote is kept beside the program's, and restored when the config has no registry any more", () => {
  write(FILE, "mirrors: {}\n");
  expect(install(YAML).output).toBe(
    "warning: /etc/rancher/k3s/registries.yaml was written by hand; it is now /etc/rancher/k3s/registries.yaml.by-hand, because cluster.k3s.registries replaces it\nchanged\n",
  );
  expect(read(`${FILE}.by-hand`)).toBe("mirrors: {}\n");
  expect(install(YAML).output).toBe("unchanged\n");
  expect(install().output).toBe("changed\n");
  expect([files(), read(FILE)]).toEqual([["registries.yaml"], "mirrors: {}\n"]);
  expect(install().output).toBe("unchanged\n");
});

const TAKE_BACK = "if take_back_registries; then say back; else say same; fi";

test("after a failed start, the registries of the last good start are restored, and K3s starts with them", () => {
  const good = run(`install_registries || :; keep_registries`, { yaml: YAML, cas: CAS });
  install(YAML.replace("sesame", "mustard"), "# third.lan\nPEM 5");
  expect(run(TAKE_BACK)).toEqual({ output: "back\n", sum: good.sum });
  expect(files()).toEqual(["registries.yaml", "registries/other.lan.pem", "registries/registry.lan:5000.pem"]);
  expect(run(TAKE_BACK).output).toBe("same\n");
});

test("after a first try that failed there are none again", () => {
  run("keep_registries");
  install(YAML);
  expect(run(TAKE_BACK).output).toBe("back\n");
  expect(files()).toEqual([]);
});
