import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import Ajv from "ajv";
import { parse } from "yaml";

import { defaultOf, isOptional, metaOf } from "../../../config/walk";
import { addonsStackFileSchema } from "../../../scripts-dev/addonsSchema";
import { keysBelow } from "../../../scripts-dev/configTables";
import { addonsSchema } from "../../config/schema";
import { planOf } from "../support/config";

/** Every key has the texts that a person needs: `docs/addons-config.md` and the editor's schema are made from them. */

const keys = keysBelow(addonsSchema).map((key) => [key.path.join("."), key.schema] as const);

test.each(keys)("%s says what it sets", (_, schema) => {
  expect(metaOf(schema).description).toMatch(/^[A-Z`].*\.$/);
});

test.each(keys)("%s has an example that it accepts", (_, schema) => {
  const { example } = metaOf(schema);
  expect(example).toBeDefined();
  expect(schema.safeParse(example).error).toBeUndefined();
});

test.each(keys)("%s is required, has a default, or says what applies instead", (_, schema) => {
  const hasOther = defaultOf(schema) !== undefined || metaOf(schema).otherwise !== undefined;
  expect(isOptional(schema)).toBe(hasOther);
});

describe("the stack files of the repository", () => {
  const folder = path.join(__dirname, "../..");
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "Pulumi.*.yaml"], { cwd: folder })
    .toString()
    .trim()
    .split("\n");
  const accepts = new Ajv({ allErrors: true, strict: true, strictTypes: false }).compile(addonsStackFileSchema());

  test.each(files)("%s is accepted by the program and by the schema that it names", (file) => {
    const text = fs.readFileSync(path.join(folder, file), "utf8");
    const stack = parse(text) as { config: Record<string, unknown> };
    expect([accepts(stack), accepts.errors]).toEqual([true, null]);
    expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=../schema/addons.schema.json");
    expect(() => planOf(stack.config["proxmox-k3s-addons:addons"])).not.toThrow();
  });
});
