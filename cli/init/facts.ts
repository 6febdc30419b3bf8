import { X509Certificate } from "node:crypto";
import { z } from "zod";

import { advice } from "../../remote/advice";

/** A storage of the Proxmox VE node. */
export interface StorageFact {
  readonly name: string;
  readonly type: string;
  /** Kinds of volumes that it accepts: `rootdir`, `images`, `vztmpl`, … */
  readonly content: readonly string[];
  readonly availBytes: number;
}

/** A bridge, with the network of the host's own address on it. */
export interface BridgeFact {
  readonly name: string;
  /** The host's address with its prefix, for example `192.168.2.167/24`. */
  readonly cidr?: string;
  readonly gateway?: string;
}

/** The facts about a Proxmox host (`scripts/admin/facts.sh`). */
export interface HostFacts {
  readonly node: string;
  /** Version of pve-manager, for example `9.2.3`. */
  readonly version: string;
  readonly architecture: string;
  /** The nodes of its Proxmox VE cluster. */
  readonly nodes: readonly string[];
  /** The active ones. */
  readonly storages: readonly StorageFact[];
  /** Volume ids of container templates. */
  readonly templates: readonly string[];
  /** Volume ids of disk images. */
  readonly images: readonly string[];
  /** Templates of virtual machines on this node, by VMID. */
  readonly vmTemplates: readonly { readonly vmId: number; readonly name: string }[];
  readonly bridges: readonly BridgeFact[];
  readonly nameservers: readonly string[];
  readonly usedVmIds: ReadonlySet<number>;
  readonly usedAddresses: ReadonlySet<string>;
  /** Addresses that answered when they were checked before they were proposed. */
  readonly answering: readonly string[];
  /** VMIDs of the guests in the pool with the cluster's name, and in the pools of its record. */
  readonly members: readonly string[];
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly hostKey: string;
  /** PEM; empty if there is none. */
  readonly ca: string;
  /** PEM of the API's certificate; empty if it cannot be read. */
  readonly certificate: string;
  readonly gate: "none" | "ours" | "foreign";
  /** The limits of the gate in addition to the tasks: lines of its table. */
  readonly gateLimits: readonly string[];
}

type Entry = Readonly<Record<string, unknown>>;

/** Reads the output of `scripts/admin/facts.sh`. @throws Error if it is not complete */
export function parseFacts(text: string): HostFacts {
  const sections = new Map(
    text
      .split(/^@@ /m)
      .slice(1)
      .map((section) => {
        const end = section.indexOf("\n");
        return [section.slice(0, end < 0 ? undefined : end).trim(), end < 0 ? "" : section.slice(end + 1).trim()];
      }),
  );
  if (!sections.has("end")) throw new Error("the Proxmox host's answer is not complete\nnext:  run the command again");
  const said = (name: string): string => sections.get(name) ?? "";
  const lines = (name: string): string[] => said(name).split(/\s+/).filter(Boolean);
  const list = (name: string): Entry[] => parseList(said(name));
  const node = said("node");
  const guests = list("guests");
  const volumes = (content: string): string[] =>
    [...sections]
      .filter(([name]) => /^content \S+ \S+$/.test(name) && name.endsWith(` ${content}`))
      .flatMap(([, body]) => parseList(body))
      .map(({ volid }) => word(volid))
      .filter(Boolean);
  return {
    node,
    version: said("version"),
    architecture: said("architecture"),
    nodes: list("nodes").map((entry) => word(entry["node"])),
    storages: list("storages")
      .filter(({ active, enabled }) => Number(active) === 1 && Number(enabled ?? 1) === 1)
      .map((entry) => ({
        name: word(entry["storage"]),
        type: word(entry["type"]),
        content: word(entry["content"]).split(","),
        availBytes: Number(entry["avail"] ?? 0),
      })),
    templates: volumes("vztmpl"),
    images: volumes("import"),
    vmTemplates: guests
      .filter((guest) => guest["type"] === "qemu" && Number(guest["template"]) === 1 && guest["node"] === node)
      .map(({ vmid, name }) => ({ vmId: Number(vmid), name: word(name) })),
    bridges: list("networks")
      .filter(({ type }) => type === "bridge" || type === "OVSBridge")
      .map((entry) => bridge(entry, said("route"))),
    nameservers: lines("nameservers").filter((address) => /^[\d.]+$/.test(address)),
    usedVmIds: new Set(guests.map(({ vmid }) => Number(vmid))),
    usedAddresses: new Set(lines("addresses")),
    answering: [],
    members: lines("members"),
    hostKey: said("hostkey").split(" ").slice(0, 2).join(" "),
    ca: said("ca"),
    certificate: said("certificate"),
    gate: said("gate") === "ours" ? "ours" : said("gate") === "none" ? "none" : "foreign",
    gateLimits: said("limits").split("\n").filter(Boolean),
  };
}

function bridge(entry: Entry, route: string): BridgeFact {
  const name = word(entry["iface"]);
  // If a bridge uses DHCP, its gateway is only in the routes.
  const [, routed] = new RegExp(`^default via ([\\d.]+) dev ${name.replaceAll(".", "\\.")}\\b`, "m").exec(route) ?? [];
  const [cidr, gateway] = [word(entry["cidr"]), word(entry["gateway"]) || routed];
  return { name, ...(cidr && { cidr }), ...(gateway && { gateway }) };
}

const word = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");

/** @throws Error if it is not a list: without it, nothing is known about the host */
function parseList(json: string): Entry[] {
  if (json === "") return [];
  try {
    return z.array(z.record(z.string(), z.unknown())).parse(JSON.parse(json));
  } catch (error) {
    const cause = `pvesh on the host did not print a list as JSON, but: ${json.slice(0, 200)}`;
    throw new Error(advice(cause, "see on the host what this prints: pvesh get /nodes --output-format json"), {
      cause: error,
    });
  }
}

/** How to trust the API's certificate. */
export interface CertificateFact {
  /**
   * PEM of the CA that signed the certificate, or of the certificate itself. Absent if neither is on the host, as with a public
   * CA.
   */
  readonly ca?: string;
  /** A name or address in the certificate that is not the one by which the host was reached; never a wildcard. */
  readonly otherName?: string;
}

/** @param host the address or name with which the API will be called */
export function judgeCertificate(
  { ca, certificate }: Pick<HostFacts, "ca" | "certificate">,
  host: string,
): CertificateFact {
  if (certificate === "") return {};
  const leaf = new X509Certificate(certificate);
  const signs = (pem: string): boolean => {
    if (pem === "") return false;
    const issuer = new X509Certificate(pem);
    return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
  };
  const signer = [ca, certificate].find(signs);
  const names = [...(leaf.subjectAltName ?? "").matchAll(/(?:DNS|IP Address):([^\s,]+)/g)].map(([, name = ""]) => name);
  const covers = leaf.checkIP(host) !== undefined || leaf.checkHost(host) !== undefined;
  const other = names.find((name) => !/^(localhost|127\.|::1|\*)/.test(name) && !name.includes(":"));
  return { ...(signer !== undefined && { ca: signer }), ...(!covers && other !== undefined && { otherName: other }) };
}
