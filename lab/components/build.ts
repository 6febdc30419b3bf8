import * as path from "node:path";
import { cached, contentOf, type Log } from "../support/cache";
import { goBuild } from "../toolchain/go";
import { componentModule, type ComponentName, components } from "./table";

/**
 * Returns the path of a component's program, which is built from its Go module and kept in the cache. Building all
 * components the first time takes half an hour or more on two processors.
 *
 * @throws Error with the compiler's last lines, or if the module cannot be fetched
 */
export async function ensureComponent(name: ComponentName, log: Log): Promise<string> {
  const { version, package: of, tags, set } = components[name];
  const module = componentModule(name);
  const key = [...contentOf(module), of, JSON.stringify({ tags, set }), process.arch];
  const build = (dir: string): Promise<void> =>
    goBuild({ module, package: of, output: path.join(dir, name), ...(tags && { tags }), ...(set && { set }) }, log);
  return path.join(await cached(`component-${name}-${version}`, key, build, log), name);
}

if (require.main === module) {
  const build = async (): Promise<void> => {
    for (const name of process.argv.slice(2))
      console.log(await ensureComponent(name as ComponentName, (line) => console.error(line)));
  };
  build().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
