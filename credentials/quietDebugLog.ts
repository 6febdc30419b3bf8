import * as pulumi from "@pulumi/pulumi";

/**
 * Switches off the SDK's debug messages. They hold each answer of the engine, with all secrets in plain text, and the engine
 * passes them on: to `--debug`, and always to `--json`, the event log and the Automation API's events. Call it before the
 * first resource is created.
 */
export function quietDebugLog(): void {
  // The SDK's own calls go through this object too.
  (pulumi.log as { debug: typeof pulumi.log.debug }).debug = () => Promise.resolve();
}
