import { z } from "zod";
import { boolean, sha256, text } from "../fields";
import { STORAGE, storage } from "./placement";

/** Disk images for virtual machines, and what they need at their first boot. */

/** The endings of a disk image's file name, and the ones that Proxmox VE imports. A vendor's `.img` is in the format qcow2. */
const IMPORTABLE = "qcow2|raw|vmdk";

/** The URL of a disk image: without credentials, and without a query, whose file may change. */
const imageUrl = text(
  "an http or https URL of an uncompressed disk image (.qcow2, .img, .raw, .vmdk)",
  new RegExp(`^https?://[A-Za-z0-9][A-Za-z0-9.:-]*(?:/[A-Za-z0-9._~%+=,:-]+)+\\.(?:${IMPORTABLE}|img)$`),
  {
    hint: "for example https://cloud.debian.org/images/cloud/trixie/DATE/debian-13-genericcloud-amd64-DATE.qcow2",
    example: "https://cloud.debian.org/images/cloud/trixie/DATE/debian-13-genericcloud-amd64-DATE.qcow2",
  },
);

/** A volume of content type `import`. */
const imageVolume = text(
  "the volume id of a disk image of the content type import",
  new RegExp(`^${STORAGE}:import/[\\w.+=-]+\\.(?:${IMPORTABLE})$`),
  {
    hint: "for example local:import/debian-13.qcow2; `pvesm list local --content import` prints them",
    example: "local:import/debian-13.qcow2",
  },
);

/** A disk image that becomes the root disk of new machines. */
export const image = z
  .strictObject({
    url: imageUrl
      .meta({
        description:
          "URL of a cloud image. Proxmox VE downloads it once, checks `sha256`, and imports it as the root disk of each new machine: no template is needed. The image needs cloud-init. The file stays as long as a pool with nodes names it.",
        otherwise: "`image.volume`, or a `template`",
        change: "newNodes",
      })
      .optional(),
    sha256: sha256
      .meta({ description: "SHA-256 of the file at `url`.", otherwise: "required with `url`", change: "newNodes" })
      .optional(),
    storage: storage
      .meta({
        description: "The storage for the downloaded file. It must allow the content type `import`.",
        example: "local",
        otherwise: "`local`",
        change: "newNodes",
        changeNote: "the file is downloaded again",
      })
      .optional(),
    volume: imageVolume
      .meta({
        description:
          "Instead of `url`: an image that is already on a storage of the host. The program never removes it.",
        otherwise: "`image.url`, or a `template`",
        change: "newNodes",
      })
      .optional(),
  })
  .meta({ description: "A cloud image that becomes the root disk of new machines, instead of a template." });

/** The storage for the file that cloud-init reads. */
export const snippets = storage.meta({
  description:
    "The storage for the file with which cloud-init installs the guest agent (`installAgent`). It must allow the content type `snippets`.",
  hint: "for example local; `pvesm status --content snippets` prints them",
  example: "local",
  change: "newNodes",
  changeNote: undefined,
});

/** cloud-init installs the guest agent. */
export const installAgent = boolean.meta({
  description:
    "Whether cloud-init installs the QEMU guest agent at the first boot, because the image has none, for example Debian's and Ubuntu's cloud images. It needs a storage for snippets (`proxmox.snippets`), and a package mirror that the machine reaches.",
  otherwise: "true with an `image`, false with a `template` or `os: nixos`",
  change: "newNodes",
  independent: true,
});
