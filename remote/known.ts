import * as pulumi from "@pulumi/pulumi";

/** Waits for the value of an input. For hooks only: all their inputs become known, and they do not run in a preview. */
export function known<T>(input: pulumi.Input<T>): Promise<pulumi.Unwrap<T>> {
  return new Promise((resolve) => void pulumi.output(input).apply(resolve));
}
