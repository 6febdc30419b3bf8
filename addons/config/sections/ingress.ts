import { z } from "zod";
import { boolean, integer, oneOf } from "../../../config/fields";
import { chartSchema } from "./chart";

/** Kubernetes' range of node ports; K3s keeps its default. */
const nodePort = integer(30_000, 32_767);

/** `addons.ingress`: Traefik on node ports. */
export const ingressSchema = z
  .strictObject({
    traefik: oneOf(["helmChartConfig", "release"]).meta({
      description:
        "`helmChartConfig` configures the Traefik that K3s installs. `release` installs Traefik from `chart`, for a cluster with `disable: [traefik]`.",
    }),
    nodePorts: z
      .strictObject({
        http: nodePort
          .meta({ description: "Port for HTTP on every node.", example: 30_080, independent: true })
          .default(30_080),
        https: nodePort
          .meta({ description: "Port for HTTPS on every node.", example: 30_443, independent: true })
          .default(30_443),
      })
      .prefault({}),
    loadBalancer: boolean
      .meta({
        description:
          "Whether K3s' load balancer (ServiceLB) also serves ports 80 and 443 of the nodes. Without it, only the node ports are served.",
      })
      .default(false),
    externalTrafficPolicy: oneOf(["Cluster", "Local"])
      .meta({
        description:
          "`Local` keeps the clients' addresses, and runs Traefik also on tainted nodes, so that each node answers. With `Cluster`, Traefik sees the address of a node.",
      })
      .default("Cluster"),
    chart: chartSchema("oci://ghcr.io/traefik/helm/traefik", "41.3.0").optional().meta({
      description: "The chart of Traefik; only with `traefik: release`.",
    }),
  })
  .meta({ description: "Traefik, K3s' ingress controller, on the same two ports of every node." });

export type IngressSettings = z.output<typeof ingressSchema>;
