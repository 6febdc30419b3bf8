import { z } from "zod";
import { boolean, host, integer, oneOf, pemFile, text } from "../fields";
import { ownCommand } from "../ownCommand";
import { hostKey } from "../sshKeys";
import { snippets } from "./images";
import { osType, proxmoxNode, storage, template } from "./placement";

const RECONNECT = "every script on the host runs again and changes nothing";

/** Proxmox VE's `pve-poolid`: up to three names. */
const resourcePool = text("the name of a Proxmox VE resource pool", /^[A-Za-z][\w.-]*(?:\/[A-Za-z][\w.-]*){0,2}$/, {
  hint: "for example homelab; `pveum pool list` prints them",
  example: "homelab",
});

/** A label value of Kubernetes, which is also part of a Node's provider ID. */
const region = text("the name of a Proxmox VE cluster", /^[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/, {
  hint: "for example homelab; `pvecm status` prints it",
  example: "homelab",
});

/** `cluster.proxmox`: the Proxmox host, and the defaults for all pools. */
export const proxmoxSchema = z
  .strictObject({
    node: proxmoxNode.meta({
      description: "The Proxmox VE node that runs the guests.",
      change: "refused",
      changeNote: "guests are not moved to another Proxmox VE node",
    }),
    region: region
      .meta({
        description:
          "Name of the Proxmox VE cluster. New nodes register with it: label `topology.kubernetes.io/region`, and provider ID `proxmox://<region>/<vmid>`. The label `topology.kubernetes.io/zone` is the Proxmox VE node.",
        otherwise: "`proxmox.node`",
        change: "newNodes",
        changeNote: "a node keeps what it registered with, also after a migration; labels in `labels` take precedence",
        independent: true,
      })
      .optional(),
    host: host.meta({
      description: "Address or DNS name of the Proxmox host, for SSH.",
      change: "none",
      changeNote: RECONNECT,
    }),
    hostKey: hostKey.meta({
      description: "Public SSH host key of the Proxmox host. The program connects only to a host with this key.",
      change: "none",
      changeNote: RECONNECT,
      independent: true,
    }),
    sshPort: integer(1, 65535)
      .meta({
        description: "Port of the Proxmox host's SSH server.",
        example: 22,
        change: "none",
        changeNote: RECONNECT,
        independent: true,
      })
      .default(22),
    sshUser: oneOf(["root"])
      .meta({
        description: "The user to log in as.",
        hint: "the scripts on the host need root, and the gate limits the key to these scripts",
        change: "none",
        changeNote: RECONNECT,
        independent: true,
      })
      .default("root"),
    endpoint: text("an https URL without credentials or a path", /^https:\/\/[^/\s@]+\/?$/, {
      hint: "for example https://192.168.2.167:8006/",
      example: "https://192.168.2.167:8006/",
      hidden: true,
    })
      .meta({
        description: "URL of the Proxmox VE API.",
        otherwise: "`https://<host>:8006/`",
        change: "none",
        independent: true,
      })
      .optional(),
    caFile: pemFile({
      hint: "for example certificates/homelab.pem, a copy of the Proxmox host's /etc/pve/pve-root-ca.pem",
      example: "certificates/homelab.pem",
    })
      .meta({
        description:
          "File with the CA that signs the API's TLS certificate. A CA is public: keep the file in version control. The commands trust only this CA; `pulumi up` stops if the Proxmox provider does not trust it, and names the command.",
        otherwise: "the CAs that your machine trusts",
        change: "none",
        independent: true,
      })
      .optional(),
    insecure: boolean
      .meta({
        description: "Whether to skip the verification of the API's TLS certificate.",
        change: "none",
        independent: true,
      })
      .default(false),
    architecture: oneOf(["amd64", "arm64"])
      .meta({
        description: "Architecture of the host, by Debian's name.",
        change: "refused",
      })
      .default("amd64"),
    resourcePool: resourcePool
      .meta({
        description: "The Proxmox VE resource pool of the guests. The API token may change only guests in this pool.",
        otherwise: "the cluster's name",
        change: "newNodes",
        changeNote: `\`${ownCommand("doctor")}\` names the command that moves existing guests`,
        independent: true,
      })
      .optional(),
    storage: storage.meta({ otherwise: "each pool's own" }).optional(),
    template: template.meta({ otherwise: "each pool's own" }).optional(),
    osType: osType.optional(),
    snippets: snippets.default("local"),
  })
  .meta({ description: "The Proxmox VE host. `storage`, `template` and `osType` are the defaults for all pools." });
