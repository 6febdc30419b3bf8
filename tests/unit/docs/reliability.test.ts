import * as fs from "node:fs";
import * as path from "node:path";
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
  "what a double of a script says in a row, the script says: %s",
  (_, { step, sees }) => {
    const script = fs.readFileSync(path.join(repo, "scripts/host", `${step}.sh`), "utf8");
    const values = { $NAME: "NODE", $EFFECT: "change its K3s", $OTHERS: "3", $WELL: "2" };
    const words = Object.entries(values).reduce((text, [name, value]) => text.replaceAll(name, value), script);
    for (const piece of sees) expect(words).toMatch(asPattern(piece.replace("of the 4", "of the 3")));
  },
);
