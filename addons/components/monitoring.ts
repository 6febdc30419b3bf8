import { ConfigMap } from "@pulumi/kubernetes/core/v1";
import type * as pulumi from "@pulumi/pulumi";

import type { MonitoringPlan } from "../plan/monitoring";
import { makeObject } from "./object";
import { makeRelease, type ReleaseContext } from "./release";
import { makeSecrets, type Secrets } from "./secretObjects";

/** The chart's sidecar gives ConfigMaps with this label to Grafana. */
const DASHBOARD_LABEL = { grafana_dashboard: "1" };

/** The monitoring. The chart installs the kinds of its objects, so these objects are created after it. */
export function makeMonitoring(plan: MonitoringPlan, secrets: Secrets, context: ReleaseContext): pulumi.Resource {
  const { parent, dependsOn = [] } = context;
  const { namespace } = plan;
  const made = makeSecrets("monitoring", namespace, plan.secrets, secrets, context);
  const release = makeRelease(plan.release, { ...context, dependsOn: [...dependsOn, ...made] });
  for (const [name, json] of Object.entries(plan.dashboards))
    new ConfigMap(
      `monitoring-${name}`,
      { metadata: { name, namespace, labels: DASHBOARD_LABEL }, data: { [`${name}.json`]: json } },
      { parent, dependsOn },
    );
  for (const object of plan.objects)
    makeObject(`monitoring-${object.kind.toLowerCase()}-${object.metadata.name}`, object, {
      parent,
      dependsOn: [release],
    });
  return release;
}
