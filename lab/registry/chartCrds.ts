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

/** The folder of a chart's CRDs, and their source. */
interface ChartCrds {
  /**
   * The same folder as in the vendor's chart. CRDs in `crds` Helm only installs. CRDs that a template reads from another
   * folder it also upgrades, and deletes with the release.
   */
  readonly into: string;
  readonly from: readonly ModuleFolder[];
}

/**
 * The CRDs of the vendor's chart, for the double of that name. When the chart is pushed, they are copied from the Go modules
 * of the programs that run, in the same version: we keep no copy.
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
    // In a subchart: Helm writes a chart with its CRDs into the Secret of each release, but not its subcharts, and a Secret
    // has at most 1 MiB.
    into: "charts/crds/crds",
    from: [{ component: "prometheus-operator", folder: "example/prometheus-operator-crd" }],
  },
};

/**
 * The folders whose files are copied into a chart's double; none for a chart without CRDs.
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
