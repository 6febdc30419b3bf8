import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import Ajv from "ajv";
import { parse } from "yaml";
import { stackFileSchema } from "../../../scripts-dev/clusterSchema";
import { baseConfig, configOf, readMistakes } from "./support";

const REPOSITORY = path.join(__dirname, "../../..");
const MARK = "# yaml-language-server: $schema=schema/cluster.schema.json";
const accepts = new Ajv({ allErrors: true, strict: true, strictTypes: false }).compile(stackFileSchema());
const asStack = (cluster: unknown): unknown => ({ config: { "proxmox-k3s:cluster": cluster } });

/** The mistakes that the JSON schema accepts, by the reason why it cannot refuse them. */
const BEYOND_THE_SCHEMA: Readonly<Record<string, readonly string[]>> = {
  "values of several keys": [
    ...[
      "address-broadcast",
      "address-gateway",
      "address-host",
      "address-network",
      "address-outside",
      "address-overlap",
    ].map((name) => `identity-${name}`),
    ...["hostname-form", "hostname-overlap", "mac-overlap", "vmid-high", "vmid-overlap", "vmid-override-overlap"].map(
      (name) => `identity-${name}`,
    ),
    ...["identity-addresses-missing", "identity-vmids-missing", "identity-vmids-too-short"],
    ...["k3s-datastore-not-shared", "k3s-file-other-architecture", "k3s-file-without-sum"],
    ...["network-gateway-broadcast", "network-gateway-outside", "network-nameserver-in-pods"],
    ...["network-nameserver-loopback", "network-nameserver-node", "network-nameserver-none"],
    ...["k3s-own-value-for-all", "k3s-own-argument-for-all", "proxmox-template-other-architecture"],
    ...["proxmox-template-without-k3s", "proxmox-template-without-systemd"],
    ...["network-pods-overlap-nodes", "network-pods-too-small", "network-services-overlap-pods"],
    ...["pool-even-servers", "pool-even-servers-over-pools", "pool-no-server", "pool-too-many-servers"],
    ...["pool-zero-servers", "proxmox-other-node", "proxmox-template-missing", "proxmox-template-os-unknown"],
    "label-storage",
    "longhorn-disk-label",
    "longhorn-disk-nixos",
    "longhorn-disk-small",
    "taint-repeated",
    ...["vm-disk-serial-twice", "vm-disks-of-container", "vm-disks-vmid-of-node", "vm-disks-vmids"],
    "nixos-other-means",
    ...["vm-image-empty", "vm-image-twice", "vm-source-missing", "vm-source-twice", "vm-template-of-node"],
  ],
  "who passes the firewall": [
    ...["firewall-extra", "firewall-foreign-pod-network", "firewall-no-admins", "firewall-pods-are-admins"],
  ],
  "arithmetic in a text": ["network-host-bits", "unit-disk-fraction", "unit-memory-too-little"],
  "rules between values of registries, and which regular expressions Go has": [
    ...["registries-other-file", "registries-rewrite", "registries-rewrite-nowhere"],
    "registries-other-runtime",
  ],
  "releases of Kubernetes, and which of them are pinned": [
    ...["k3s-plain-http", "k3s-require-pinned", "version-major", "version-too-old"],
  ],
  "what a credential looks like inside a value": ["k3s-secret-value"],
  "a list of prefixes with exceptions": ["label-reserved"],
};

/** The repository's stack files; a person's own and the lab's are in the same folder. */
const stackFiles = execFileSync("git", ["ls-files", "Pulumi.*.yaml"], { cwd: REPOSITORY, encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "");

test.each(stackFiles)("%s is accepted, and names the schema for editors", (file) => {
  const text = fs.readFileSync(path.join(REPOSITORY, file), "utf8");
  accepts(parse(text));
  expect(accepts.errors ?? []).toEqual([]);
  expect(text.split("\n")[0]).toBe(MARK);
});

test("there is a stack file", () => expect(stackFiles).toContain("Pulumi.homelab.yaml"));

test("the config that the fixtures change is accepted", () => {
  accepts(asStack(baseConfig()));
  expect(accepts.errors ?? []).toEqual([]);
});

test("secrets are accepted as Pulumi writes them, but not in plain text", () => {
  const secret = { secure: "AAABADQ=" };
  const stack = { config: { "proxmox-k3s:nodePrivateKey": secret, "aws:region": "x" }, encryptionsalt: "v1:x" };
  expect(accepts(stack)).toBe(true);
  expect(accepts({ config: { "proxmox-k3s:nodePrivateKey": "in the clear" } })).toBe(false);
});

test("the schema refuses all mistakes except those that it cannot express", () => {
  const mistakes = readMistakes();
  const accepted = mistakes.filter((mistake) => accepts(asStack(configOf(mistake)))).map(({ file }) => file);
  const beyond = Object.values(BEYOND_THE_SCHEMA).flat();
  expect(accepted).toEqual(beyond.map((name) => `${name}.yaml`).sort());
  expect(mistakes.length - accepted.length).toBeGreaterThanOrEqual(72);
});
