import * as path from "node:path";
import type { Log } from "../support/cache";
import { moduleDir } from "../toolchain/go";

/** The module of K3s' Helm controller, which `crds/go.mod` pins. */
const controller = "github.com/k3s-io/helm-controller";

/**
 * The folder with the CRDs of K3s' Helm controller (HelmChart, HelmChartConfig). K3s brings them; the stand-in does not,
 * because it has no such controller.
 *
 * @throws Error if the module cannot be fetched
 */
export async function helmControllerCrds(log: Log): Promise<string> {
  return path.join(await moduleDir(path.join(__dirname, "crds"), controller, log), "pkg/crds/yaml/generated");
}
