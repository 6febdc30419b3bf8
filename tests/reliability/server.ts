import type { Row } from "./row";

/** The server's guest has died, and nobody answers for the cluster. */
export const deadServer: Row = {
  phase: "scale down",
  step: "leave",
  part: "the only server",
  fault: "its guest has died",
  set: { kind: "guest-dies", seconds: 0, count: 1 },
  sees: ["no server of the cluster answered"],
  mend: "`pct start` of the server's guest",
  remedy: "again",
  bound: 90,
  level: "engine",
};
