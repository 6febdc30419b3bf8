import * as fs from "node:fs";
import * as path from "node:path";

import { KEPT_LEAVE, taskNames, taskOf } from "../../../remote/tasks";

/*
 * The parts of a task are one text, and POSIX shell has no `local` (shellcheck refuses it in shell.test.ts).
 * So a library either keeps its variables in a subshell, or gives them names that no other part has. Names in capitals are
 * shared on purpose: arguments, and variables that a part's head documents.
 */

const texts = [
  ...taskNames.map((task) => [task, taskOf(task).parts] as const),
  ["the kept leave", ["lib/task", ...KEPT_LEAVE]] as const,
];

/** Functions of a part, and lower-case variables that it sets outside subshells; `_` is for values that are not used. */
function namesIn(part: string): string[] {
  const shell = fs
    .readFileSync(path.join(__dirname, `../../../scripts/${part}.sh`), "utf8")
    .replace(/^\s*#.*$/gm, "")
    .replace(/^(\w+\(\)) \($[^]*?^\)$/gm, "$1")
    .replace(/'[^'\n]*'/g, "''");
  const found = (pattern: RegExp): string[] => [...shell.matchAll(pattern)].map(([, name = ""]) => name);
  const read = found(/\bread -r ([\w ]+)/g)
    .flatMap((names) => names.trim().split(/ +/))
    .filter((name) => name !== "_");
  const set = [...found(/(?<![\w$"{/.-]|-v )([A-Za-z_]\w*)=/g), ...found(/\bfor (\w+) in/g), ...read];
  return [...new Set([...found(/^\s*(\w+)\(\)/gm), ...set.filter((name) => name === name.toLowerCase())])];
}

test.each(texts)("%s: no part uses a name of one of its libraries for something else", (_, parts) => {
  const libraries = parts.filter((part) => part.startsWith("lib/"));
  const clashes = libraries.flatMap((library) => {
    const own = namesIn(library);
    return parts
      .filter((part) => part !== library)
      .flatMap((part) =>
        namesIn(part)
          .filter((name) => own.includes(name))
          .map((name) => `${name}: ${library}, ${part}`),
      );
  });
  expect(clashes).toEqual([]);
});

test("names are found in every form in which a shell sets them", () => {
  expect(namesIn("lib/task")).toEqual(expect.arrayContaining(["fail", "install_file"]));
  expect(namesIn("lib/cluster")).toEqual(expect.arrayContaining(["server_name", "hash", "known", "ready", "before"]));
  expect(namesIn("host/roster")).toEqual(expect.arrayContaining(["kept", "former", "vmid", "dir"]));
  expect(namesIn("lib/guest")).not.toContain("conf");
});
