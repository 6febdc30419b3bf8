import type { HostFacts, StorageFact } from "./facts";
import type { Problems } from "./problem";

/** A container template, and where to download it to if it is not on the host. */
export interface TemplateChoice {
  /** Volume id, `<storage>:vztmpl/<file>`. */
  readonly volume: string;
  readonly isThere: boolean;
}

/** The source of the root disk of virtual machines. */
export type VmSourceChoice =
  | { readonly template: number }
  | { readonly volume: string }
  | { readonly url: string; readonly sha256: string; readonly storage: string };

interface StorageWishes {
  readonly storage?: string;
  readonly template?: string;
  readonly image?: string;
  readonly sha256?: string;
}

const DISKS = { lxc: { content: "rootdir", what: "containers" }, vm: { content: "images", what: "virtual machines" } };

/** Ranks storages for the disks of nodes: thin volumes first. K3s in containers does not run on ZFS. */
function rank({ type }: StorageFact, kind: "lxc" | "vm"): number {
  if (type === "zfspool") return kind === "lxc" ? 9 : 0;
  return ["lvmthin", "rbd", "btrfs"].includes(type) ? 0 : 1;
}

/** The storage of the nodes' disks. */
export function chooseDiskStorage(
  { storages }: HostFacts,
  kind: "lxc" | "vm",
  wishes: StorageWishes,
  problems: Problems,
): string {
  const { content, what } = DISKS[kind];
  const taking = storages.filter((storage) => storage.content.includes(content));
  const list = taking.map(({ name }) => name).join(", ");
  if (wishes.storage !== undefined) {
    if (taking.some(({ name }) => name === wishes.storage)) return wishes.storage;
    const cause = `the storage ${wishes.storage} takes no disks of ${what}`;
    return problems.add(cause, list ? `name one of these with --storage: ${list}` : allow(storages, content), "");
  }
  const usable = taking
    .filter((storage) => rank(storage, kind) < 9)
    .sort((a, b) => rank(a, kind) - rank(b, kind) || b.availBytes - a.availBytes);
  if (usable[0]) return usable[0].name;
  if (taking.length > 0)
    return problems.add(
      `the only storage for ${what} is ZFS (${list}), where K3s in containers does not run`,
      "take virtual machines: --kind vm; or add a storage of LVM-thin or a folder on ext4 or XFS",
      "",
    );
  return problems.add(`no storage of the host takes disks of ${what}`, allow(storages, content), "");
}

/** The command that adds a content type to a storage. The list in it replaces the old one. */
function allow(storages: readonly StorageFact[], content: string): string {
  const one = storages.find(({ name }) => name === "local") ?? storages[0];
  if (!one) return "add a storage in the web interface: Datacenter, Storage";
  return `on the host: pvesm set ${one.name} --content ${[...one.content, content].join(",")}`;
}

/** Templates that the program is tested with, best first. */
const KNOWN = [/^ubuntu-22\.04-standard/, /^ubuntu-24\.04-standard/, /^debian-12-standard/, /^debian-13-standard/];
/** The template to download. */
const DEFAULT_TEMPLATE = "ubuntu-22.04-standard_22.04-1_amd64.tar.zst";

const fileOf = (volume: string): string => volume.slice(volume.indexOf("/") + 1);

export function chooseTemplate(
  { templates, storages }: HostFacts,
  wishes: StorageWishes,
  problems: Problems,
): TemplateChoice {
  if (wishes.template?.includes(":")) {
    if (templates.includes(wishes.template)) return { volume: wishes.template, isThere: true };
    const there = templates.join(", ") || "none";
    return problems.add(`there is no template ${wishes.template} on the host`, `existing templates: ${there}`, NONE);
  }
  const known = wishes.template === undefined ? KNOWN : [new RegExp(`^${escape(wishes.template)}$`)];
  const [best] = known.flatMap((pattern) =>
    templates
      .filter((volume) => pattern.test(fileOf(volume)))
      .sort()
      .reverse(),
  );
  if (best !== undefined) return { volume: best, isThere: true };
  const taking = storages.filter(({ content }) => content.includes("vztmpl"));
  const target = taking.find(({ name }) => name === "local") ?? taking[0];
  if (!target) return problems.add("no storage of the host takes container templates", allow(storages, "vztmpl"), NONE);
  return { volume: `${target.name}:vztmpl/${wishes.template ?? DEFAULT_TEMPLATE}`, isThere: false };
}

const NONE: TemplateChoice = { volume: "", isThere: true };
const escape = (text: string): string => text.replace(/[^A-Za-z0-9]/g, "\\$&");

export function chooseVmSource(
  { vmTemplates, images, storages }: HostFacts,
  wishes: StorageWishes,
  problems: Problems,
): VmSourceChoice {
  const nothing = { template: 0 };
  const { image, sha256 } = wishes;
  if (image !== undefined && /^https?:/.test(image)) {
    if (sha256 === undefined)
      return problems.add(
        "an image of a URL needs its SHA-256",
        "name it with --sha256, as the vendor lists it",
        nothing,
      );
    const taking = storages.filter(({ content }) => content.includes("import"));
    const target = taking.find(({ name }) => name === "local") ?? taking[0];
    if (!target) return problems.add("no storage of the host takes disk images", allow(storages, "import"), nothing);
    return { url: image, sha256, storage: target.name };
  }
  if (image !== undefined) {
    if (/^\d+$/.test(image) && vmTemplates.some(({ vmId }) => vmId === Number(image)))
      return { template: Number(image) };
    if (images.includes(image)) return { volume: image };
    return problems.add(`the host has no template or image ${image}`, SOURCES, nothing);
  }
  const [template, volume] = [vmTemplates[0], images[0]];
  if (vmTemplates.length + images.length > 1) {
    const names = [...vmTemplates.map(({ vmId, name }) => `${vmId} (${name})`), ...[...images].sort()];
    const cause = `the host has several templates and images for virtual machines: ${names.join(", ")}`;
    return problems.add(cause, "choose one with --image: a VMID, or the whole name of an image", nothing);
  }
  if (template) return { template: template.vmId };
  if (volume !== undefined) return { volume };
  return problems.add("virtual machines need a template or a cloud image, and the host has none", SOURCES, nothing);
}

const SOURCES =
  "name a vendor's image with --image URL --sha256 SUM, an image on the host with --image STORAGE:import/FILE, or a template with --image VMID";
