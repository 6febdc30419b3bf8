import type { Row } from "./row";

const DEAD = {
  fault: "its guest has died",
  set: { kind: "guest-dies", seconds: 0, count: 1 },
  mend: "`pct start` of that server's guest",
  remedy: "again",
  level: "engine",
} as const;

/** A server's guest has died, or several have: who may not come, go or be changed then. */
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
    sees: ["none of the cluster's servers answered within … s:…NODE would have begun a second cluster"],
    bound: 150,
  },
  oneStays: {
    ...DEAD,
    phase: "up",
    step: "join",
    part: "one of three servers, which stays in the config",
    sees: ["etcd takes no new member, so that NODE cannot join: of 3 servers these do not answer:"],
    mend: "the same, or its index into `retired`: it leaves etcd before another joins",
    bound: 90,
  },
  oneBeside: {
    ...DEAD,
    phase: "change",
    step: "quorum",
    part: "another one of three servers",
    sees: [
      "NODE was not touched, which would change its K3s: without it etcd has no majority, as these servers do not answer:",
    ],
    bound: 90,
  },
  twoOfFive: {
    ...DEAD,
    phase: "scale down",
    step: "leave",
    part: "two others of five servers",
    sees: ["without NODE etcd would have no majority: 2 of the 4 other servers answer, not"],
    mend: "the same, or their indices into `retired` in place of NODE's",
    bound: 90,
  },
} satisfies Readonly<Record<string, Row>>;
