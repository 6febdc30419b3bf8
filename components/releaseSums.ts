import * as pulumi from "@pulumi/pulumi";

import { clusterStepName } from "../plan/steps";
import { RemoteScript } from "../remote/RemoteScript";
import { releaseUrl, type ReleaseSums } from "./artifacts";
import type { ClusterContext } from "./ClusterContext";

/** The sums from the config or the repository's pins; otherwise read once from the release's own list. */
export function releaseSums(name: string, context: ClusterContext, parent: pulumi.Resource): ReleaseSums {
  const { plan } = context;
  const binary = plan.k3s.sha256[plan.arch];
  const images = plan.k3s.imagesSha256[plan.arch];
  if (binary !== undefined && (images !== undefined || !plan.k3s.airgapImages)) return { binary, images: images ?? "" };
  const list = new RemoteScript(
    clusterStepName(name, "release-sums"),
    {
      task: "release-sums",
      title: `the published SHA-256 sums of K3s ${plan.version}`,
      connection: context.host,
      lock: `release-sums-${plan.name}`,
      boundSeconds: 300,
      args: { SOURCE: releaseUrl(plan), ARCH: plan.arch, IMAGES: plan.k3s.airgapImages ? "yes" : "no" },
    },
    context.scriptOptions({ parent, dependsOn: [context.anchor] }),
  );
  const published = list.answer.apply((line) => line.split(" "));
  return {
    binary: binary ?? published.apply(([sum]) => sum ?? ""),
    images: images ?? published.apply(([, sum]) => sum ?? ""),
  };
}
