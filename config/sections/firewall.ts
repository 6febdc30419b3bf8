import { z } from "zod";
import { boolean, cidr, oneOf, text } from "../fields";

const networks = (description: string) =>
  z.array(cidr).meta({ description, example: ["192.168.2.0/24"], change: "live" });

const ports = z
  .union([z.int().min(1).max(65535), z.string().regex(/^[1-9]\d{0,4}(?:-[1-9]\d{0,4})?$/)])
  .meta({
    must: "a port, or a range of ports",
    hint: "for example 9100 or 9100-9110",
    example: 9100,
  })
  .transform(String);

const extraName = text(
  "a name of at most 30 lowercase letters, digits and inner hyphens",
  /^[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?$/,
  {
    hint: "for example node-exporter",
    example: "node-exporter",
  },
).meta({ placeholder: "<name>" });

const extraSchema = z.strictObject({
  protocol: oneOf(["tcp", "udp"]).meta({ description: "The protocol.", change: "live" }).default("tcp"),
  ports: ports.meta({ description: "The port on the nodes, or the range.", change: "live" }),
  networks: networks("Who may reach it."),
});

/** `cluster.firewall`: the packet filter of the nodes. */
export const firewallSchema = z
  .strictObject({
    enabled: boolean
      .meta({
        description: "Whether the nodes drop every packet that the cluster and these networks do not need.",
        change: "live",
        changeNote: "existing connections are kept",
      })
      .default(false),
    adminNetworks: networks(
      "Networks that may use SSH and the Kubernetes API. The machine that runs `pulumi up` must be in one of them.",
    ).default([]),
    nodePorts: networks("Networks that may use services: ports 80 and 443, and NodePorts. Nodes and pods always may.")
      .meta({ otherwise: "`adminNetworks`" })
      .optional(),
    extra: z.record(extraName, extraSchema).meta({ description: "Further open ports, by name." }).default({}),
  })
  .meta({ description: "The packet filter of the nodes. [What it opens](firewall.md)." });
