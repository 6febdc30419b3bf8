import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import type * as pulumi from "@pulumi/pulumi";

import type { ApiObject } from "../plan/object";

/** Creates an object of a kind that a chart installs. */
export function makeObject(name: string, object: ApiObject, options: pulumi.CustomResourceOptions): CustomResource {
  const { apiVersion, kind, metadata, spec } = object;
  return new CustomResource(name, { apiVersion, kind, metadata: { ...metadata }, spec }, options);
}
