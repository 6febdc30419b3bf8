import * as fs from "node:fs";
import * as path from "node:path";
import { enterHost } from "../commands/guests";
import { labPaths, type Lab, type RunningLab } from "../lab";
import { secondsOf, type FaultKind } from "../pve/faults/fault";
import { Faults } from "../pve/faults/faults";
import { run } from "./run";

/** The faults of a lab, by their path on the machine. */
export function labFaults(lab: Lab): Faults {
  const { faults, etcPve, logs } = labPaths(lab.name);
  const log = (line: string) => fs.appendFileSync(path.join(logs, "host.log"), `${new Date().toISOString()} ${line}\n`);
  return new Faults(faults, { nodeDir: path.join(etcPve, "nodes/pve"), log });
}

/** Rules of a packet filter in the lab's network, by fault of the host. */
const filters: Partial<Record<FaultKind, readonly string[]>> = {
  "ssh-refused": ["tcp dport 22 tcp flags & (syn | ack) == syn reject with tcp reset"],
  "no-dns": ["udp dport 53 drop", "tcp dport 53 drop"],
};

/** Kinds that take effect when they are set, not at a later request or task. */
export const hostFaultKinds: readonly FaultKind[] = [...(Object.keys(filters) as FaultKind[]), "clock"];

/** Applies the faults of a lab to its host, whatever was applied before. */
export async function applyHostFaults(lab: RunningLab): Promise<void> {
  const faults = labFaults(lab);
  await filterPackets(lab, faults);
  await moveClock(lab, faults);
}

/** The filter is in the lab's network namespace and disappears with it. */
async function filterPackets(lab: RunningLab, faults: Faults): Promise<void> {
  const kinds = Object.keys(filters) as FaultKind[];
  const rules = kinds.flatMap((kind) => (faults.armed(kind).length > 0 ? filters[kind]! : []));
  const table = "table inet lab_faults";
  const chain = `${table} {\nchain input { type filter hook input priority -10;\n${rules.join("\n")}\n}\n}`;
  // `delete` fails without the table, so the first line creates it.
  await onHost(lab, ["nft", "-f", "-"], `${table}\ndelete ${table}\n${rules.length > 0 ? chain : ""}\n`);
}

/** Programs of the host that see a wrong clock: those that check a clock, and those that fail with a wrong one. */
const clockReaders = ["date", "curl", "openssl"];

/**
 * The host has the machine's clock, which must not change, and guests have their host's clock, also on Proxmox VE. So
 * libfaketime changes the time only for some programs of the host; all others, and the guests, see the true time.
 */
async function moveClock(lab: RunningLab, faults: Faults): Promise<void> {
  const fault = faults.armed("clock").at(-1);
  const wrappers = clockReaders.map((program) => `/usr/local/bin/${program}`);
  if (!fault) return onHost(lab, ["rm", "-f", ...wrappers]);
  const seconds = secondsOf(fault);
  const wrapper = `#!/bin/sh
exec env FAKETIME=${seconds < 0 ? "" : "+"}${seconds} FAKETIME_DONT_FAKE_MONOTONIC=1 \\
  LD_PRELOAD='/usr/$LIB/faketime/libfaketime.so.1' "/usr/bin/\${0##*/}" "$@"
`;
  await onHost(lab, ["sh", "-euc", `umask 022; tee "$@" >/dev/null; chmod 755 "$@"`, "sh", ...wrappers], wrapper);
}

async function onHost(lab: RunningLab, command: readonly string[], input = ""): Promise<void> {
  const [program, ...args] = [...enterHost(lab.init), ...command];
  await run(program!, args, { input });
}
