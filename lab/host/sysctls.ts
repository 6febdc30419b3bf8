import * as fs from "node:fs";
import * as path from "node:path";

/*
 * Kernel settings of the whole machine that change while labs run: the lab raises the first ones, kubelet sets the others
 * from its privileged container. The last lab that is removed restores them.
 */

/** Each systemd, kubelet and containerd uses several; a few nodes use up the default of 128. */
const raised: Readonly<Record<string, number>> = {
  "fs.inotify.max_user_instances": 8192,
  "fs.inotify.max_user_watches": 524288,
};

/** What kubelet sets (`setupKernelTunables`). */
const changedByKubelet = [
  ...["vm.overcommit_memory", "vm.panic_on_oom", "kernel.panic", "kernel.panic_on_oops"],
  ...["kernel.keys.root_maxkeys", "kernel.keys.root_maxbytes"],
];

const file = (setting: string) => `/proc/sys/${setting.replaceAll(".", "/")}`;
const read = (setting: string) => fs.readFileSync(file(setting), "utf8").trim();

/** Records the machine's values, unless another lab has done so, and raises what the lab needs. Never lowers anything. */
export function raiseSysctls(labRoot: string): void {
  const record = recordFile(labRoot);
  if (!fs.existsSync(record)) {
    const settings = [...Object.keys(raised), ...changedByKubelet].filter((setting) => fs.existsSync(file(setting)));
    fs.writeFileSync(record, JSON.stringify(Object.fromEntries(settings.map((setting) => [setting, read(setting)]))));
  }
  for (const [setting, value] of Object.entries(raised)) {
    if (Number(read(setting)) < value) fs.writeFileSync(file(setting), String(value));
  }
}

/** Restores the machine's values. */
export function restoreSysctls(labRoot: string): void {
  const record = recordFile(labRoot);
  if (!fs.existsSync(record)) return;
  for (const [setting, value] of Object.entries(
    JSON.parse(fs.readFileSync(record, "utf8")) as Record<string, string>,
  )) {
    if (read(setting) !== value) fs.writeFileSync(file(setting), value);
  }
  fs.rmSync(record);
}

function recordFile(labRoot: string): string {
  return path.join(labRoot, "sysctls.json");
}
