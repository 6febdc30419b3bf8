/* Values in the Nix language. Names of options and packages are the program's own and need no quoting. */

/** A string in double quotes. Only a quote, a backslash and the start of an expression have a meaning in it. */
export const nixText = (value: string): string =>
  `"${value.replace(/["\\]|\$(?=\{)/g, "\\$&").replaceAll("\n", "\\n")}"`;

/** A list of strings, one a line, for a place that is indented by so many blanks. */
export function nixTexts(values: readonly string[], indent: number): string {
  if (values.length < 2) return `[ ${values.map((value) => `${nixText(value)} `).join("")}]`;
  const blanks = " ".repeat(indent);
  return ["[", ...values.map((value) => `${blanks}  ${nixText(value)}`), `${blanks}]`].join("\n");
}

/**
 * A text of many lines, as Nix has it in doubled single quotes: it takes the common indentation away. A single quote there also has to be
 * apart from the two that keep `${` from being an expression.
 */
export function nixLines(text: string, indent: number): string {
  const blanks = " ".repeat(indent);
  const lines = text
    .replace(/''|'(?=\$\{)/g, (quotes) => (quotes === "'" ? "''\\'" : "'''"))
    .replace(/\$(?=\{)/g, "''$")
    .split("\n");
  return ["''", ...lines.map((line) => `${blanks}  ${line}`), `${blanks}''`].join("\n");
}
