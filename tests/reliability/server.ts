import type { Row } from "./row";

const DEAD = {
  fault: "its guest has crashed",
  set: { kind: "guest-dies", seconds: 0, count: 1 },
  fix: "run `pct start` for that server's guest",
  remedy: "again",
  level: "engine",
} as const;

/** One or several servers' guests have crashed: which changes the program then refuses. */
export const deadServers = {
  only: {
    ...DEAD,
    phase: "scale down",
    step: "leave",
    part: "the only server",
    sees: ["no server of the cluster answered"],
    bound: 90,
  },
  all: {
    ...DEAD,
    phase: "up",
    step: "join",
    part: "every other server",
    sees: ["none of the cluster's servers answered within … s:…NODE would start a second cluster"],
    bound: 150,
  },
  oneStays: {
    ...DEAD,
    phase: "up",
    step: "join",
    part: "one of three servers, which stays in the config",
    sees: ["etcd accepts no new member, so NODE cannot join: of 3 servers these do not answer:"],
    fix: "the same, or add its index to `retired`, so that it leaves etcd before another server joins",
    bound: 90,
  },
  oneBeside: {
    ...DEAD,
    phase: "change",
    step: "quorum",
    part: "one other server of three",
    sees: [
      "NODE was not changed (this would change its K3s): without it etcd has no majority, because these servers do not answer:",
    ],
    bound: 90,
  },
  twoOfFive: {
    ...DEAD,
    phase: "scale down",
    step: "leave",
    part: "two other servers of five",
    sees: ["without NODE etcd would have no majority: 2 of the 4 other servers answer, not"],
    fix: "the same, or add their indices to `retired` instead of that of NODE",
    bound: 90,
  },
} satisfies Readonly<Record<string, Row>>;
