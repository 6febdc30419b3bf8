/**
 * kubectl's JSONPath templates, with the parts that scripts use: text, `{.a.b}`, `{.a['b']}`, `{.a\.b}`, `[*]`,
 * `[?(@.a=="b")]`, `{range …}…{end}` and quoted text. Source: k8s.io/client-go/util/jsonpath.
 */
export function jsonPath(template: string, value: unknown): string {
  const [text, rest] = render(template, value);
  if (rest !== "") throw new Error(`error parsing jsonpath ${template}: unexpected ${rest}`);
  return text;
}

/** Renders up to the `{end}` of the enclosing range, or to the end of the template. */
function render(template: string, value: unknown): [text: string, rest: string] {
  let text = "";
  let rest = template;
  while (rest !== "") {
    const [, plain = "", expression, after = ""] =
      /^([^{]*)(?:\{((?:[^}"']|"[^"]*"|'[^']*')*)\}([^]*))?$/.exec(rest) ?? [];
    text += plain;
    if (expression === undefined) return [text, rest.slice(plain.length)];
    rest = after;
    const quoted = /^(["'])([^]*)\1$/.exec(expression)?.[2];
    const range = /^range\s+([^]*)$/.exec(expression)?.[1];
    if (expression === "end") return [text, rest];
    else if (quoted !== undefined) text += quoted.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
    else if (range !== undefined) {
      const items = find(range, value);
      // The body is parsed even if the range is empty.
      const [, end] = render(rest, undefined);
      text += items.map((item) => render(rest, item)[0]).join("");
      rest = end;
    } else text += find(expression, value).map(print).join(" ");
  }
  return [text, ""];
}

const STEP =
  /^(?:\.((?:[^.[\]\\]|\\.)+)|\['((?:[^'\\]|\\.)*)'\]|\[(\*)\]|\[\?\(@\.([\w.]+)\s*(==|!=)\s*("[^"]*"|'[^']*'|[\w.]+)\)\])/;

function find(path: string, value: unknown): unknown[] {
  let found: unknown[] = [value];
  for (let rest = path.replace(/^[$@](?=[.[]|$)/, ""); rest !== "" && rest !== ".";) {
    const step = STEP.exec(rest);
    if (!step) throw new Error(`error parsing jsonpath {${path}}: ${rest}`);
    rest = rest.slice(step[0].length);
    const [, field, key, all, asked, how, literal = ""] = step;
    const name = (field ?? key)?.replaceAll(/\\(.)/g, "$1");
    if (name !== undefined) found = found.map((each) => member(each, name));
    else if (all) found = found.flatMap(items);
    else {
      const wanted = literal.replace(/^(["'])([^]*)\1$/, "$2");
      const isWanted = (each: unknown): boolean => find(`.${asked}`, each).map(print).join(" ") === wanted;
      found = found.flatMap(items).filter((each) => isWanted(each) === (how === "=="));
    }
    found = found.filter((each) => each !== undefined);
  }
  return found.filter((each) => each !== undefined);
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function items(value: unknown): unknown[] {
  return Array.isArray(value) ? value : typeof value === "object" && value !== null ? Object.values(value) : [];
}

function print(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
