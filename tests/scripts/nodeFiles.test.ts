import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { SNAPSHOTTERS_FOR_ZFS } from "../../plan/snapshotters";
import { taskFiles } from "../../remote/script";

/* The checks of a node before K3s is installed. Its mounts are a file; everything else is this machine. */

const work = fs.mkdtempSync(path.join(os.tmpdir(), "node-files-"));
afterAll(() => fs.rmSync(work, { recursive: true }));

/** The check's finding about a node whose root file system has this type. */
function checked(rootType: string, env: Readonly<Record<string, string>>): string {
  fs.writeFileSync(
    path.join(work, "mounts"),
    `/dev/a / ext4 rw 0 0\ntank/subvol-1 / ${rootType} rw 0 0\nb /srv zfs rw 0 0\n`,
  );
  for (const [name, text] of Object.entries(taskFiles("install-k3s")))
    fs.writeFileSync(path.join(work, name), `${text}\n`);
  const scripts = ["lib/task", "lib/node-checks", "lib/node-files"].map((part) =>
    fs.readFileSync(`scripts/${part}.sh`, "utf8"),
  );
  const text = [...scripts, "check_node"].join("\n").replaceAll("/proc/mounts", `${work}/mounts`);
  const given = { PATH: process.env["PATH"], WORK: work, RUNNER: String(process.pid), STEP: "node-1-k3s" };
  const { stdout, stderr } = spawnSync("sh", ["-c", text], {
    encoding: "utf8",
    env: { ...given, NAME: "node-1", ARCH: "amd64", ...env },
  });
  return stdout + stderr;
}

it("one step shows a node's warning, and those after it do not", () => {
  const scripts = ["lib/task", "lib/node-checks", "lib/node-files"].map((part) =>
    fs.readFileSync(`scripts/${part}.sh`, "utf8"),
  );
  const found = `node_checks() { finding warn cgroup "version 1" reboot; finding warn "$STEP" "$STEP is slow" wait; }`;
  const said = (step: string): string => {
    const log = path.join(work, `${step}.log`);
    const given = { PATH: process.env["PATH"], WORK: work, RUNNER: String(process.pid), NAME: "node-1", ARCH: "amd64" };
    const text = [...scripts, found, `check_node >"$LOG"`].join("\n");
    expect(spawnSync("sh", ["-c", text], { env: { ...given, STEP: step, LOG: log } }).status).toBe(0);
    return fs.readFileSync(log, "utf8");
  };
  expect(said("artifacts")).toBe("warning: version 1 (reboot)\nwarning: artifacts is slow (wait)\n");
  expect(said("k3s")).toBe("warning: k3s is slow (wait)\n");
  // A run of yesterday.
  const yesterday = Date.now() / 1000 - 86_400;
  for (const step of ["artifacts", "k3s"]) fs.utimesSync(path.join(work, `${step}.log`), yesterday, yesterday);
  expect(said("rules")).toContain("warning: version 1 (reboot)\n");
});

describe("a root file system of ZFS", () => {
  const PROBLEM = "the root file system is ZFS, where overlayfs does not work";

  it.each(["node-name: node-1", "snapshotter: overlayfs", "snapshotter: nativ", "node-label: snapshotter native"])(
    "is refused if K3s would use overlayfs there: %s",
    (config) => {
      expect(checked("zfs", { CONFIG: `${config}\ntoken-file: /x` })).toContain(PROBLEM);
      expect(checked("ext4", { CONFIG: `${config}\ntoken-file: /x` })).not.toContain(PROBLEM);
    },
  );

  it.each(SNAPSHOTTERS_FOR_ZFS)("is ok if the snapshotter works everywhere, as the plan has it: %s", (snapshotter) => {
    expect(checked("zfs", { CONFIG: `node-name: node-1\nsnapshotter: ${snapshotter}` })).not.toContain(PROBLEM);
  });

  it("is not checked by the step that only fetches files, which does not have the options", () => {
    expect(checked("zfs", {})).not.toContain(PROBLEM);
  });
});
