/* How long the program tries to connect to a machine by SSH: the same for commands and for hooks. */

/** Seconds for one attempt. */
export const DIAL_SECONDS = 5;

/** Failed attempts before it gives up, a second or more apart. A node may still be booting. */
export const DIAL_ERRORS = { host: 10, node: 20 } as const;

/**
 * The longest that a step tries to connect. These timeouts of the engine do not end a running script: it has its own time limit
 * on the machine. A deletion may concern a machine that no longer exists, so it gives up early.
 */
export const DIAL_TIMEOUTS = { create: "10m", update: "10m", delete: "60s" } as const;
