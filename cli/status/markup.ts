/** A text in HTML or SVG, between tags or in an attribute. */
export function escape(text: string | number): string {
  return String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
