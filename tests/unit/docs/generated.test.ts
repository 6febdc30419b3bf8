import { spawnSync } from "node:child_process";
import * as path from "node:path";

const repo = path.join(__dirname, "../../..");

test("the generated files in docs/ and schema/ are up to date; `npm run docs` writes them", () => {
  // In another process: the formatter is an ES module, which jest does not load.
  const tsx = path.join(repo, "node_modules/.bin/tsx");
  const { status, stderr } = spawnSync(tsx, ["scripts-dev/docs.ts", "--check"], { cwd: repo, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
}, 60_000);
