import { CLUSTER_STEPS, clusterStepName, NODE_STEPS, parseStep, stepName } from "../../../plan/steps";

describe("the name of a step", () => {
  it.each(NODE_STEPS)("of a node names the node: %s", (step) => {
    expect(parseStep(stepName("k3s-worker-01", step))).toEqual({ of: "k3s-worker-01", step });
  });

  it.each(CLUSTER_STEPS)("of a cluster names the cluster: %s", (step) => {
    expect(parseStep(clusterStepName("home-lab", step))).toEqual({ of: "home-lab", step });
  });

  it.each(["k3s-worker-01", "homelab", "ready"])("%s is the name of a machine or a cluster, not of a step", (name) => {
    expect(parseStep(name)).toBeUndefined();
  });
});
