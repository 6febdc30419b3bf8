import * as fs from "node:fs";
import * as path from "node:path";
import { nixosRows } from "../../reliability/nixos";
import { asPattern, titleOf } from "../../reliability/row";
import { rows } from "../../reliability/rows";
import { deadServers } from "../../reliability/server";

const repo = path.join(__dirname, "../../..");

test("no two rows are about the same fault at the same place", () => {
  const titles = rows.map((row) => `${row.phase}: ${titleOf(row)}`);
  expect(titles.filter((title, at) => titles.indexOf(title) !== at)).toEqual([]);
});

test("a fault that shows no error needs no remedy, and every other one needs one", () => {
  for (const row of rows)
    expect([titleOf(row), row.sees.length === 0]).toEqual([titleOf(row), row.remedy === "nothing"]);
});

test.each(Object.values(deadServers).map((row) => [titleOf(row), row] as const))(
  "a message of a script's double in a row is a message of the script: %s",
  (_, { step, sees }) => {
    const script = fs.readFileSync(path.join(repo, "scripts/host", `${step}.sh`), "utf8");
    const values = { $NAME: "NODE", $EFFECT: "change its K3s", $OTHERS: "3", $WELL: "2" };
    const words = Object.entries(values).reduce((text, [name, value]) => text.replaceAll(name, value), script);
    for (const piece of sees) expect(words).toMatch(asPattern(piece.replace("of the 4", "of the 3")));
  },
);

describe("a row about NixOS", () => {
  const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
  const sources = [
    ...["lib/nixos-guest", "host/nixos-trial", "host/nixos-keep"],
    ...["node/nixos-build", "node/nixos-k3s", "node/nixos-files", "node/k3s-refusals"],
  ].map((part) => read(`scripts/${part}.sh`));
  /** The messages of scripts and hook, with the values of a row. */
  const words = [...sources, read("components/nixos.ts")]
    .join("\n")
    .replace(/back_again "(.*)"/g, "NODE went back to its former system: $1")
    .replace(/\$\{node\.name\}|\$NAME\b/g, "NODE")
    .replace(/\$VMID\b/g, "VMID")
    .replace(/\$unit on/g, "k3s on")
    .replace(/\$HAD\b/, /HAD="(.*?)"/.exec(sources.join())![1]!)
    .replace(
      /\$(TRIAL_SECONDS|SWITCH)\b/g,
      (_, name: string) => RegExp(`^${name}=(\\d+)$`, "m").exec(sources.join("\n"))![1]!,
    );

  test.each(nixosRows.map((row) => [row.fault, row] as const))(
    "has messages of the program: %s",
    (_, { sees, next }) => {
      const pieces = [...sees.split("…"), ...next.split("…")];
      expect(pieces.filter((piece) => !words.includes(piece))).toEqual([]);
    },
  );

  test.each(nixosRows.map((row) => [row.fault, row.test] as const))(
    "names an existing test: %s",
    (_, [file, title]) => {
      expect(read(`tests/${file}.test.ts`)).toContain(`"${title}`);
    },
  );
});
