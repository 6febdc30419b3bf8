/** Forms that nothing but a credential has. */
const CERTAIN: readonly { readonly what: string; readonly form: RegExp }[] = [
  { what: "a private key", form: /PRIVATE KEY/ },
  { what: "a URL with a user or a password", form: /:\/\/[^/?#\s]*@/ },
  { what: "a K3s token", form: /\bK10[0-9a-f]{64}::/ },
];
/** What an API token of Proxmox VE ends with; also the form of many an id. */
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

/** What kind of credential stands in a text by its form alone; undefined where there is none for certain. */
export function credentialIn(text: string): string | undefined {
  return CERTAIN.find(({ form }) => form.test(text))?.what;
}

/** Whether a text is shown in no message, because a credential may stand in it. */
export const isHidden = (text: string): boolean => UUID.test(text) || credentialIn(text) !== undefined;
