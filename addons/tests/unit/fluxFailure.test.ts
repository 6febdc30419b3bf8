import { describeFailure, isTrying } from "../../plan/fluxFailure";

const OBJECT = { kind: "Kustomization", namespace: "flux-system", name: "cluster" };
const of = (...conditions: object[]) => ({ status: { conditions } });
const ready = (message: string, more: object = {}) => ({
  ...{ type: "Ready", status: "False", reason: "ArtifactFailed", message },
  ...more,
});
const failure = (object: unknown) => describeFailure(OBJECT, object).split("\n");

const LOOK = "`kubectl -n flux-system describe kustomization cluster`";

test("the message has Flux' own words, where to fix it, and the next command", () => {
  expect(
    failure(of({ type: "Reconciling", status: "True", message: "x" }, ready("path not found: ./clustre"))),
  ).toEqual([
    "Kustomization flux-system/cluster is not Ready (ArtifactFailed). Flux says: path not found: ./clustre",
    `Fix what it names (the folder in the repository, and \`flux\` in the stack file), then run \`pulumi up\`. ${LOOK} shows more.`,
  ]);
  expect(describeFailure({ ...OBJECT, kind: "GitRepository" }, of(ready("authentication required")))).toContain(
    "Fix what it names (`flux.git` in the stack file, its secret config, and the Git server)",
  );
});

test.each([
  ["no answer of the API", undefined],
  ["no status", { metadata: {} }],
  ["no conditions", { status: {} }],
  ["conditions of another form", { status: { conditions: "Ready" } }],
  ["another condition only", of({ type: "Reconciling", status: "True", message: "busy" })],
  ["a message of another form", of(ready("", { reason: "a reason; no word", message: { text: "x" } }))],
])("%s: where to look", (_, object) => {
  expect(failure(object)).toEqual([
    "Kustomization flux-system/cluster is not Ready. Flux has not reported anything about it yet.",
    `Run \`kubectl -n flux-system get pods\` to see whether its controllers run, and ${LOOK}.`,
  ]);
});

test("for an object that was ready too late, the message says how to wait longer", () => {
  expect(failure(of(ready("Applied revision: main", { status: "True" })))).toEqual([
    "Kustomization flux-system/cluster is Ready now, but it was not in time.",
    "Set a longer `timeout` in the stack file, then run `pulumi up`.",
  ]);
});

test("while Flux tries again, it does not say what is wrong", () => {
  const trying = of(ready("Reconciliation in progress", { status: "Unknown", reason: "Progressing" }));
  expect([trying, of(ready("path not found")), of(), undefined].map(isTrying)).toEqual([true, false, false, false]);
});

test("another program's words stay on one line, and are cut", () => {
  const [title] = failure(of(ready(`one\ntwo\u001b[2J\u202ethree ${"x".repeat(2000)}`)));
  expect(title).toMatch(/Flux says: one two \[2J three x{900,} …$/);
  expect(title!.length).toBeLessThan(1200);
});
