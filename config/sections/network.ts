import { z } from "zod";
import { cidr, domain, integer, ipv4, text } from "../fields";

/** `cluster.network`: the networks of nodes, pods and services. */
export const networkSchema = z
  .strictObject({
    cidr: cidr.meta({
      description: "The network of all nodes.",
      change: "reboot",
      changeNote: "the prefix is part of each address; servers with etcd are rebuilt",
    }),
    gateway: ipv4.meta({ description: "The default gateway of the nodes.", example: "192.168.2.1", change: "reboot" }),
    bridge: text("the name of a Linux bridge", /^[a-zA-Z][\w.-]{0,14}$/, {
      hint: "for example vmbr0",
      example: "vmbr0",
    }).meta({
      description: "The bridge of the Proxmox host that the guests are attached to.",
      change: "reboot",
      changeNote: "a virtual machine moves while it runs",
      independent: true,
    }),
    nameservers: z.array(ipv4).meta({
      description: "DNS servers of the nodes.",
      example: ["192.168.2.1"],
      change: "reboot",
    }),
    searchDomain: domain
      .meta({
        description: "DNS search domain of the nodes.",
        otherwise: "the Proxmox host's",
        change: "reboot",
        independent: true,
      })
      .optional(),
    vlan: integer(1, 4094, { unit: "VLAN tag" })
      .meta({
        description: "VLAN of the guests' network interfaces.",
        example: 20,
        otherwise: "untagged",
        change: "reboot",
        changeNote: "a virtual machine moves while it runs",
        independent: true,
      })
      .optional(),
    podCidr: cidr
      .meta({
        description: "The network of the pods. Each node gets a /24 of it.",
        example: "10.42.0.0/16",
        change: "refused",
      })
      .default("10.42.0.0/16"),
    serviceCidr: cidr
      .meta({
        description: "The network of the services. The cluster DNS has its tenth address.",
        example: "10.43.0.0/16",
        change: "refused",
      })
      .default("10.43.0.0/16"),
  })
  .meta({ description: "The networks of nodes, pods and services." });
