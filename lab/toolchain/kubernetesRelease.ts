import * as fs from "node:fs";
import * as path from "node:path";
import type { Log } from "../support/cache";
import { moduleDir } from "./go";

/** The provider's Go module, which `kubernetes/go.mod` pins. */
const provider = "github.com/pulumi/pulumi-kubernetes/provider/v4";

/** Files that a release of the Kubernetes provider embeds, and that our build of the same code reads from its binary's folder. */
export const releasedKubernetes = {
  set: (version: string) => ({ [`${provider}/pkg/version.Version`]: `v${version}` }),
  finish: async (binary: string, version: string, log: Log): Promise<void> => {
    const module = await moduleDir(path.join(__dirname, "kubernetes"), provider, log);
    const released = path.join(module, "cmd/pulumi-resource-kubernetes");
    const read = (name: string): object => JSON.parse(fs.readFileSync(path.join(released, name), "utf8")) as object;
    const write = (name: string, content: object): void =>
      fs.writeFileSync(path.join(path.dirname(binary), name), JSON.stringify(content));
    // As in the release's build (generate.go in the same folder).
    write("schema.json", { ...read("schema.json"), version });
    write("terraform-mapping.json", read("terraform-mapping.json"));
  },
};
