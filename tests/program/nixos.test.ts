import { createHash } from "node:crypto";

import * as pulumi from "@pulumi/pulumi";

import { K3sChanges } from "../../components/rollout/K3sChanges";
import { RollingTurns } from "../../components/rollout/RollingTurns";
import { loadPlan } from "../../plan/load";
import { acknowledgement } from "../../remote/answer";
import { readArguments } from "../../remote/script";
import { acceptHooks } from "../support/hookMonitor";
import { recordProgram, type Recording, stackCluster, stateOf } from "../support/program";

/* Machines with NixOS, those of Pulumi.mizar.yaml: only their own steps differ from those of other machines. */

jest.setTimeout(60_000);

const NODES = ["alphard", "hamal", "mizar"];

describe("the stack of S5", () => {
  let up: Recording;
  beforeAll(async () => {
    const cluster = stackCluster("Pulumi.mizar.yaml");
    up = await recordProgram({ cluster, preview: true, state: stateOf("nixos") });
  });
  const command = (name: string): string => String(up.find(name).inputs["create"]);

  it("has the same steps for each node as for any virtual machine", () => {
    for (const name of NODES)
      expect(
        up.resources
          .map((each) => each.name)
          .filter((each) => each.startsWith(`${name}-`))
          .sort(),
      ).toEqual(
        ["artifacts", "guard", "host-key", "k3s", "leave", "ready", "rules", "vm"].map((step) => `${name}-${step}`),
      );
  });

  it("builds a node's system by SSH on the node, and starts its K3s with what was built", () => {
    for (const name of NODES) {
      const built = readArguments(command(`${name}-artifacts`));
      const started = readArguments(command(`${name}-k3s`));
      expect(built["MODULE"]).toContain(`hostName = lib.mkOverride 10 "${name}";`);
      const sum = createHash("sha256").update(built["MODULE"]!).digest("hex");
      expect([started["MODULE_SHA256"], started["CONFIG"]]).toEqual([sum, built["CONFIG"]]);
      expect(up.find(`${name}-artifacts`).inputs["connection"]).toEqual(up.find(`${name}-k3s`).inputs["connection"]);
      expect(started).not.toHaveProperty("FROM");
    }
  });

  it("tries a system before K3s gets its tokens, and a server looks for others before that", () => {
    expect(NODES.map((name) => up.find(`${name}-k3s`).options.hooks.beforeCreate)).toEqual([
      ["alphard-join", "alphard-nixos-trial"],
      ["hamal-nixos-trial"],
      ["mizar-nixos-trial"],
    ]);
  });

  it("starts an agent's K3s after the server's, and replaces a machine for another address", () => {
    expect(up.find("mizar-k3s").options.dependencies).toContain(up.find("mizar-leave").urn);
    expect(up.find("mizar-leave").options.dependencies).toContain(up.find("alphard-k3s").urn);
    expect(up.find("mizar").options.replaceOnChanges).toContain("initialization.ipConfigs[*].ipv4.address");
  });
});

describe("a change of K3s on machines with NixOS", () => {
  beforeAll(async () => {
    await pulumi.runtime.setMocks({ newResource: ({ inputs }) => ({ id: "", state: inputs }), call: () => ({}) });
    acceptHooks(pulumi.runtime.getMonitor());
  });
  const changes = () =>
    new K3sChanges("nixos", new RollingTurns(1), {
      ...{ plan: loadPlan(stackCluster("Pulumi.mizar.yaml")), host: {} as never, clusterId: pulumi.output("") },
    });
  const turn = (of: K3sChanges, name: string) => of.hooks.beforeUpdate.callback({ name } as pulumi.ResourceHookArgs);

  test("is tried in the node's turn; one that fails is an error, and no further node is changed", async () => {
    const tried: string[] = [];
    const of = changes();
    of.tryFirst("hamal", () => {
      tried.push("hamal");
      return Promise.reject(new Error("hamal went back to its former system"));
    });
    of.tryFirst("mizar", async () => void tried.push("mizar"));
    await expect(turn(of, "hamal-k3s")).rejects.toThrow("hamal went back to its former system");
    await expect(turn(of, "mizar-k3s")).rejects.toThrow(
      /mizar was not changed \(this would change its K3s\): the change of K3s failed on hamal/,
    );
    expect(tried).toEqual(["hamal"]);
  });

  test("runs one by one: the second node tries its system once the first one is done", async () => {
    const tried: string[] = [];
    const of = changes();
    for (const name of ["hamal", "mizar"]) of.tryFirst(name, async () => void tried.push(name));
    await turn(of, "hamal-k3s");
    const second = turn(of, "mizar-k3s");
    await new Promise((resolve) => setImmediate(resolve));
    expect(tried).toEqual(["hamal"]);
    const stdout = `unchanged\n${acknowledgement("hamal-k3s", "update")}\n`;
    await of.hooks.afterUpdate.callback({
      name: "hamal-k3s",
      newOutputs: { stdout },
    } as unknown as pulumi.ResourceHookArgs);
    await second;
    expect(tried).toEqual(["hamal", "mizar"]);
  });
});
