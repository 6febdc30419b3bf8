import { spawnSync } from "node:child_process";
import * as path from "node:path";

const repo = path.join(__dirname, "../../..");

test("what is generated in docs/ and schema/ is what its sources say; `npm run docs` writes it", () => {
  // A process of its own: the formatter is an ES module, which jest does not load.
  const tsx = path.join(repo, "node_modules/.bin/tsx");
  const { status, stderr } = spawnSync(tsx, ["scripts-dev/docs.ts", "--check"], { cwd: repo, encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
}, 60_000);
