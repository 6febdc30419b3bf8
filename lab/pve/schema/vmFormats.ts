import type { PropertyFormat } from "./propertyString";
import type { Schema } from "./schema";

// Property strings of virtual machines that are named formats in the schema, from the source of qemu-server 9.2.

const text: Schema = { type: "string", optional: true };
const flag: Schema = { type: "boolean", optional: true };
const base64: Schema = { ...text, pattern: /^[A-Za-z0-9+/]+={0,2}$/ };
const volume: Schema = { ...text, format: "pve-volume-id" };

export const cpuFormat: PropertyFormat = {
  properties: {
    cputype: { ...text, pattern: /^(custom-)?[a-zA-Z0-9\-_.]+$/ },
    "reported-model": text,
    hidden: flag,
    "hv-vendor-id": { ...text, pattern: /^[a-zA-Z0-9]{1,12}$/ },
    flags: { ...text, pattern: /^[+-][a-zA-Z0-9\-_.]+(;[+-][a-zA-Z0-9\-_.]+)*$/ },
    "guest-phys-bits": { type: "integer", optional: true, minimum: 32, maximum: 64 },
    "phys-bits": { ...text, pattern: /^(host|\d{1,2})$/ },
    level: { type: "integer", optional: true },
  },
  defaultKey: "cputype",
};

export const bootFormat: PropertyFormat = {
  properties: { legacy: { ...text, pattern: /^[acdn]{1,4}$/ }, order: { ...text, format: "pve-qm-bootdev-list" } },
  defaultKey: "legacy",
};

export const ipConfigFormat: PropertyFormat = {
  properties: {
    ip: { ...text, format: "pve-ipv4-config" },
    gw: { ...text, format: "ipv4", requires: "ip" },
    ip6: { ...text, format: "pve-ipv6-config" },
    gw6: { ...text, format: "ipv6", requires: "ip6" },
  },
};

export const cloudInitFilesFormat: PropertyFormat = {
  properties: { meta: volume, network: volume, user: volume, vendor: volume },
};

export const smbiosFormat: PropertyFormat = {
  properties: {
    uuid: { ...text, pattern: /^[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}$/ },
    ...{ version: base64, serial: base64, manufacturer: base64, product: base64, sku: base64, family: base64 },
    base64: flag,
  },
};

export const rngFormat: PropertyFormat = {
  properties: {
    source: { type: "string", enum: ["/dev/urandom", "/dev/random", "/dev/hwrng"] },
    max_bytes: { type: "integer", optional: true },
    period: { type: "integer", optional: true },
  },
  defaultKey: "source",
};

export const watchdogFormat: PropertyFormat = {
  properties: {
    model: { ...text, enum: ["i6300esb", "ib700"] },
    action: { ...text, enum: ["reset", "shutdown", "poweroff", "pause", "debug", "none"] },
  },
  defaultKey: "model",
};
