/** Forms that only credentials have. */
const CERTAIN: readonly { readonly what: string; readonly form: RegExp }[] = [
  { what: "a private key", form: /PRIVATE KEY/ },
  { what: "a URL with a user or a password", form: /:\/\/[^/?#\s]*@/ },
  { what: "a K3s token", form: /\bK10[0-9a-f]{64}::/ },
];
/** The end of a Proxmox VE API token. Many ids have this form too. */
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

/** The kind of credential in a text; undefined if no part has the form of one. */
export function credentialIn(text: string): string | undefined {
  return CERTAIN.find(({ form }) => form.test(text))?.what;
}

/** True if no message may show the text, because it may contain a credential. */
export const isHidden = (text: string): boolean => UUID.test(text) || credentialIn(text) !== undefined;
