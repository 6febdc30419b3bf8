import * as pulumi from "@pulumi/pulumi";

/** The value of an input once it is there, for hooks: they run when all that they ask for is known, and in no preview. */
export function known<T>(input: pulumi.Input<T>): Promise<pulumi.Unwrap<T>> {
  return new Promise((resolve) => void pulumi.output(input).apply(resolve));
}
