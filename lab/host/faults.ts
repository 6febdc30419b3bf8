import * as fs from "node:fs";
import * as path from "node:path";
import { enterHost } from "../commands/guests";
import { labPaths, type Lab, type RunningLab } from "../lab";
import { secondsOf, type FaultKind } from "../pve/faults/fault";
import { Faults } from "../pve/faults/faults";
import { run } from "./run";

/** The faults of a lab, from outside of it. */
export function labFaults(lab: Lab): Faults {
  const { faults, etcPve, logs } = labPaths(lab.name);
  const log = (line: string) => fs.appendFileSync(path.join(logs, "host.log"), `${new Date().toISOString()} ${line}\n`);
  return new Faults(faults, { nodeDir: path.join(etcPve, "nodes/pve"), log });
}

/** What a packet filter of the lab's own network does for a fault of the host. */
const filters: Partial<Record<FaultKind, readonly string[]>> = {
  "ssh-refused": ["tcp dport 22 tcp flags & (syn | ack) == syn reject with tcp reset"],
  "no-dns": ["udp dport 53 drop", "tcp dport 53 drop"],
};

/** Kinds that are put in force once, and do not wait for an occasion. */
export const hostFaultKinds: readonly FaultKind[] = [...(Object.keys(filters) as FaultKind[]), "clock"];

/** Brings the host of a lab to what its faults want, whatever it was. */
export async function applyHostFaults(lab: RunningLab): Promise<void> {
  const faults = labFaults(lab);
  await filterPackets(lab, faults);
  await moveClock(lab, faults);
}

/** The filter is in the lab's network namespace and goes with it. */
async function filterPackets(lab: RunningLab, faults: Faults): Promise<void> {
  const kinds = Object.keys(filters) as FaultKind[];
  const rules = kinds.flatMap((kind) => (faults.armed(kind).length > 0 ? filters[kind]! : []));
  const table = "table inet lab_faults";
  const chain = `${table} {\nchain input { type filter hook input priority -10;\n${rules.join("\n")}\n}\n}`;
  // `delete` needs the table to be there: its bare name makes it.
  await onHost(lab, ["nft", "-f", "-"], `${table}\ndelete ${table}\n${rules.length > 0 ? chain : ""}\n`);
}

/** Programs of the host that see a clock that is off: what checks a clock, and what a wrong clock troubles. */
const clockReaders = ["date", "curl", "openssl"];

/**
 * The kernel's clock is the machine's own, and a guest's is its host's, on Proxmox VE too: nothing moves it. What some
 * programs of the host see of it is moved by libfaketime; all others, and the guests, stay with the true time.
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
