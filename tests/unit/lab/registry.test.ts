import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";

import { addonsStackFile, writeAddonsStackConfig } from "../../../lab/addonsStack";
import { writeTraits } from "../../../lab/containers/machineTraits";
import { placeOf } from "../../../lab/registry/images";
import { stackConfig } from "../../../lab/stack";
import { loadSettings } from "../../../addons/plan/load";
import { loadPlan } from "../../../plan/load";
import { newKeyPair } from "../../support/sshKeys";

test.each([
  ["docker.io/library/lab-test:1", "library/lab-test", "1"],
  ["busybox", "library/busybox", "latest"],
  ["docker.io/busybox:1.36", "library/busybox", "1.36"],
  ["traefik/whoami", "traefik/whoami", "latest"],
  ["ghcr.io/fluxcd/source-controller:v1.9.6", "fluxcd/source-controller", "v1.9.6"],
  ["registry.lan:5000/own:2", "own", "2"],
  ["localhost/own:2", "own", "2"],
])("the image %s is in the mirror of all registries as %s, tag %s", (name, repository, tag) => {
  expect(placeOf(name)).toEqual({ repository, tag });
});

describe("the stacks of a lab with add-ons", () => {
  const sums = { sha256: "ab".repeat(32), imagesSha256: "cd".repeat(32) };
  const keys = { hostPublicKey: newKeyPair().public, nodePublicKey: newKeyPair().public };
  const lab = { stack: "lab-x", prefix: "198.18.7", ...keys, k3s: { version: "v1.36.3+k3s1", ...sums } };
  const planOf = (more: object) => {
    const { config } = stackConfig({ ...lab, ...more }) as { config: Record<string, unknown> };
    return loadPlan(config["proxmox-k3s:cluster"]);
  };

  test("only this lab's nodes have its registry as the mirror of all registries", () => {
    const registry = { authority: "198.18.7.1:5000", caFile: "/state/pve-root-ca.pem" };
    expect(planOf({ registry }).k3s.registries).toMatchObject({
      mirrors: { "*": { endpoints: ["https://198.18.7.1:5000"] } },
      configs: { "198.18.7.1:5000": { caFile: "/state/pve-root-ca.pem" } },
    });
    expect(planOf({}).k3s.registries).toBeUndefined();
  });

  test("the add-ons' stack is one that the program accepts, and names the cluster's", () => {
    const stack = `lab-unit-${process.pid}`;
    try {
      const chart = { source: "oci://198.18.7.1:5000/charts/traefik", version: "41.3.0-lab-double" };
      writeAddonsStackConfig(stack, new Map([["traefik", { ...chart, digest: `sha256:${"ab".repeat(32)}` }]]));
      const { config } = parse(fs.readFileSync(addonsStackFile(stack), "utf8")) as { config: Record<string, unknown> };
      expect(loadSettings(config["proxmox-k3s-addons:addons"]).cluster).toBe(`organization/proxmox-k3s/${stack}`);
    } finally {
      fs.rmSync(addonsStackFile(stack), { force: true });
    }
  });
});

test("the kubelet sees the disk of the whole machine, so it accepts a full one", () => {
  const rootfs = fs.mkdtempSync(path.join(os.tmpdir(), "traits-"));
  writeTraits(rootfs, { cgroupV1: false, canProtectFromOom: true, appArmor: true });
  const folder = path.join(rootfs, "etc/rancher/k3s/config.yaml.d");
  const config = parse(fs.readFileSync(path.join(folder, "98-lab.yaml"), "utf8")) as Record<string, unknown>;
  expect(fs.readdirSync(folder)).toEqual(["98-lab.yaml"]);
  expect(config["kubelet-arg+"]).toContain("image-gc-high-threshold=100");
  fs.rmSync(rootfs, { recursive: true });
});
