import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

/** 48 letters and digits: the server token is also the key that encrypts the cluster's CA keys in its datastore. */
export function password(name: string, parent: pulumi.Resource): random.RandomPassword {
  return new random.RandomPassword(name, { length: 48, special: false }, { parent });
}

/** K3s' secure token form, with which a node checks the server before it sends a credential. */
export function k10(
  caHash: pulumi.Output<string>,
  user: "server" | "node",
  secret: pulumi.Output<string>,
): pulumi.Output<string> {
  return pulumi.secret(pulumi.interpolate`K10${caHash}::${user}:${secret}`);
}
