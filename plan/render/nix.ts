/** Values in the Nix language. The names of options and packages come from the program and need no quoting. */

/** A string in double quotes. Only a quote, a backslash and the start of an expression are special in it. */
export const nixText = (value: string): string =>
  `"${value.replace(/["\\]|\$(?=\{)/g, "\\$&").replaceAll("\n", "\\n")}"`;

/** A list of strings, one per line, indented by this many blanks. */
export function nixTexts(values: readonly string[], indent: number): string {
  if (values.length < 2) return `[ ${values.map((value) => `${nixText(value)} `).join("")}]`;
  const blanks = " ".repeat(indent);
  return ["[", ...values.map((value) => `${blanks}  ${nixText(value)}`), `${blanks}]`].join("\n");
}

/**
 * A text of several lines in doubled single quotes, as Nix writes it. Nix removes the common indentation. A single quote in the
 * text must also be kept apart from the two quotes that escape `${`.
 */
export function nixLines(text: string, indent: number): string {
  const blanks = " ".repeat(indent);
  const lines = text
    .replace(/''|'(?=\$\{)/g, (quotes) => (quotes === "'" ? "''\\'" : "'''"))
    .replace(/\$(?=\{)/g, "''$")
    .split("\n");
  return ["''", ...lines.map((line) => `${blanks}  ${line}`), `${blanks}''`].join("\n");
}
