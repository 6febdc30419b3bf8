import { change } from "./change";
import { creation, fullStorage } from "./creation";
import { hostShell } from "./hostShell";
import { machines } from "./machines";
import { machineRemoval } from "./removal";
import type { Row } from "./row";
import { deadServers } from "./server";

/** All rows, in the order of the page. */
export const rows: readonly Row[] = [
  ...Object.values(hostShell).flat(),
  ...creation,
  ...fullStorage,
  ...Object.values(machines),
  ...change,
  ...Object.values(deadServers),
  ...machineRemoval("scale down"),
  ...machineRemoval("destroy"),
];
