import * as path from "node:path";
import { componentModule, type ComponentName, components } from "../components/table";
import type { Log } from "../support/cache";
import { moduleDir } from "../toolchain/go";
import type { ChartFolder } from "./charts";

/** A folder with CRDs in the Go module of a component. */
interface ModuleFolder {
  readonly component: ComponentName;
  readonly folder: string;
}

/** Where a chart has its CRDs, and where they come from. */
interface ChartCrds {
  /**
   * As the vendor's chart: Helm only ever installs what is in `crds`; what a template reads from another folder, it also upgrades, and it
   * deletes it with the release.
   */
  readonly into: string;
  readonly from: readonly ModuleFolder[];
}

/**
 * The CRDs that the vendor's chart has, for the double of that name. They come from the Go modules of the programs that run, of
 * the same version, when the chart is pushed: we keep no copy.
 */
const chartCrds: Readonly<Record<string, ChartCrds>> = {
  flux2: {
    into: "modules",
    from: [
      { component: "source-controller", folder: "config/crd/bases" },
      { component: "kustomize-controller", folder: "config/crd/bases" },
    ],
  },
  "kube-prometheus-stack": {
    // A chart in the chart: Helm writes a chart with its CRDs into the Secret of each release, but not the charts in it, and a
    // Secret has 1 MiB.
    into: "charts/crds/crds",
    from: [{ component: "prometheus-operator", folder: "example/prometheus-operator-crd" }],
  },
};

/**
 * The folders whose files go into a chart's double; none for a chart without CRDs.
 *
 * @throws Error if a module cannot be fetched
 */
export async function crdFoldersOf(chart: string, log: Log): Promise<readonly ChartFolder[]> {
  const folders: ChartFolder[] = [];
  const { into, from } = chartCrds[chart] ?? { into: "crds", from: [] };
  for (const { component, folder } of from) {
    const module = await moduleDir(componentModule(component), components[component].module, log);
    folders.push({ into, from: path.join(module, folder) });
  }
  return folders;
}
