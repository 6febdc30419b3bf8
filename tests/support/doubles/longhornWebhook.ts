/*
 * A double of Longhorn's webhook on a real API server: the same checks of a changed Node object, as a ValidatingAdmissionPolicy. The
 * rules are those of `admitLonghornNode`; the suite that uses it sends the same changes to both.
 */

const RULES = {
  node: {
    expression: "!(object.spec.?allowScheduling.orValue(false) && object.spec.?evictionRequested.orValue(false))",
    messageExpression: "'need to disable scheduling on node ' + object.metadata.name + ' for node eviction'",
  },
  disk: {
    expression:
      "!has(object.spec.disks) || object.spec.disks.all(name, !(object.spec.disks[name].?allowScheduling.orValue(false) && object.spec.disks[name].?evictionRequested.orValue(false)))",
    message: "need to disable scheduling on the disk for its eviction",
  },
  removedDisk: {
    expression:
      "!has(oldObject.spec.disks) || oldObject.spec.disks.all(name, (has(object.spec.disks) && name in object.spec.disks) || (!oldObject.spec.disks[name].?allowScheduling.orValue(false) && oldObject.?status.?diskStatus[?name].?storageScheduled.orValue(0) == 0))",
    message: "Please disable the disk and remove all replicas first",
  },
};

const NAME = "longhorn-webhook-double";

/** Applies the rules to changes of Longhorn's Node objects. */
export const WEBHOOK: readonly object[] = [
  {
    ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingAdmissionPolicy", metadata: { name: NAME } },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [
          { apiGroups: ["longhorn.io"], apiVersions: ["v1beta2"], operations: ["UPDATE"], resources: ["nodes"] },
        ],
      },
      validations: Object.values(RULES),
    },
  },
  {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name: NAME },
    spec: { policyName: NAME, validationActions: ["Deny"] },
  },
];

/** Longhorn's own webhook while its manager does not run: the API server then refuses every change. */
export const DEAD_WEBHOOK = {
  ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration" },
  metadata: { name: "longhorn-webhook-validator" },
  webhooks: [
    {
      name: "validator.longhorn.io",
      clientConfig: { service: { name: "longhorn-admission-webhook", namespace: "longhorn-system", port: 9502 } },
      rules: [
        {
          ...{ apiGroups: ["longhorn.io"], apiVersions: ["v1beta2"] },
          ...{ operations: ["CREATE", "UPDATE", "DELETE"], resources: ["nodes", "volumes", "replicas", "settings"] },
        },
      ],
      failurePolicy: "Fail",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
    },
  ],
};
