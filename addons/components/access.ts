import { ClusterRole, ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1";
import type * as pulumi from "@pulumi/pulumi";

import type { AccessPlan } from "../plan/render/roles";

/** Makes the roles and their bindings. */
export function makeAccess({ roles, bindings }: AccessPlan, parent: pulumi.ComponentResource): void {
  for (const { name, rules } of roles) new ClusterRole(name, { metadata: { name }, rules: [...rules] }, { parent });
  for (const { name, role, subjects } of bindings) {
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role };
    new ClusterRoleBinding(name, { metadata: { name }, roleRef, subjects: [...subjects] }, { parent });
  }
}
