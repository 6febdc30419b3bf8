import { z } from "zod";
import { boolean, disk, domain, integer, text } from "../../../config/fields";
import { chartSchema } from "./chart";

/** `addons.monitoring`: Prometheus and its targets, by the chart kube-prometheus-stack. */
export const monitoringSchema = z
  .strictObject({
    chart: chartSchema("oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack", "88.5.3").meta({
      description: "The chart kube-prometheus-stack.",
    }),
    retentionDays: integer(1, 3650, { example: 10 })
      .meta({ description: "How many days Prometheus keeps the metrics, if there is room.", independent: true })
      .default(10),
    storage: z
      .strictObject({
        class: text("the name of a StorageClass", /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, {
          hint: "`kubectl get storageclass` lists them; for example longhorn or local-path",
          example: "longhorn",
        }).meta({
          description: "The StorageClass of Prometheus' volume. With `longhorn`, Longhorn is installed first.",
        }),
        size: disk.meta({
          description: "The size of the volume. Prometheus deletes its oldest metrics at 80% of it.",
          example: "20GB",
        }),
      })
      .optional()
      .meta({
        description: "A volume for the metrics.",
        otherwise: "none: the metrics are on the disk of a node, at most 5GB, and are lost with the pod",
      }),
    alertmanager: boolean
      .meta({
        description:
          "Whether Alertmanager sends alerts. Your own `AlertmanagerConfig` objects say who gets them. Without Alertmanager, only Prometheus and Grafana show the alerts.",
      })
      .default(false),
    grafana: z
      .strictObject({
        host: domain
          .meta({
            description: "The host name at which the ingress serves Grafana.",
            example: "grafana.lan.example.org",
            otherwise: "none: `kubectl port-forward` shows it",
          })
          .optional(),
      })
      .optional()
      .meta({
        description: "Grafana, with a dashboard of the cluster's pools. Its password is the secret `grafanaPassword`.",
      }),
  })
  .meta({ description: "Prometheus, with the metrics of nodes, pods, K3s and the other add-ons, and alerts." });

export type MonitoringSettings = z.output<typeof monitoringSchema>;
