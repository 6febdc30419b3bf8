import * as pulumi from "@pulumi/pulumi";

/**
 * Takes the SDK's debug messages out of every output. It writes down each answer of the engine, with all secrets in the
 * clear, and the engine hands them on: `--debug` shows them, and `--json`, the event log and the Automation API's events
 * hold them without it. Call it before the first resource is made.
 */
export function quietDebugLog(): void {
  // The SDK's own calls go through this object too.
  (pulumi.log as { debug: typeof pulumi.log.debug }).debug = () => Promise.resolve();
}
