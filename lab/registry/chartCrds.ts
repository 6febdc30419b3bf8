import * as path from "node:path";
import { componentModule, type ComponentName, components } from "../components/table";
import type { Log } from "../support/cache";
import { moduleDir } from "../toolchain/go";

/** A folder with CRDs in the Go module of a component. */
interface ModuleFolder {
  readonly component: ComponentName;
  readonly folder: string;
}

/**
 * The CRDs that the vendor's chart has, for the double of that name. They come from the Go modules of the programs that run, of
 * the same version, when the chart is pushed: we keep no copy.
 */
const chartCrds: Readonly<Record<string, readonly ModuleFolder[]>> = {
  flux2: [
    { component: "source-controller", folder: "config/crd/bases" },
    { component: "kustomize-controller", folder: "config/crd/bases" },
  ],
  "kube-prometheus-stack": [{ component: "prometheus-operator", folder: "example/prometheus-operator-crd" }],
};

/**
 * The folders whose files go into the `crds/` of a chart's double; none for a chart without CRDs.
 *
 * @throws Error if a module cannot be fetched
 */
export async function crdFoldersOf(chart: string, log: Log): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const { component, folder } of chartCrds[chart] ?? []) {
    const module = await moduleDir(componentModule(component), components[component].module, log);
    folders.push(path.join(module, folder));
  }
  return folders;
}
