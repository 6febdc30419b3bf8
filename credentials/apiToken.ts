/** How Proxmox VE names a token and prints its secret (`PVE::AccessControl`): a user, its realm, the token's name, a UUID. */
const FORM = /^[^\s:/]+@[A-Za-z][\w.-]*![A-Za-z][\w.-]*=[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What is wrong with the form of an API token; undefined if the form is right. It shows no character of the token. */
export function tokenProblem(token: string): string | undefined {
  const must = "must be user@realm!name=uuid";
  if (/^PVEAPIToken=/.test(token)) return `${must}, without the header's "PVEAPIToken="`;
  if (FORM.test(token)) return undefined;
  if (token === "") return `${must}, but is empty`;
  const lacking = ["@", "!", "="].filter((sign) => !token.includes(sign)).map((sign) => `no "${sign}"`);
  if (lacking.length === 3) return `${must}, but has ${list(lacking)}: the token's id is missing before its secret`;
  if (lacking.length > 0) return `${must}, but has ${list(lacking)}`;
  return /=[0-9a-f-]{36}$/i.test(token)
    ? `${must}, but the part before the "=" has another form`
    : `${must}, but the part after the "=" is not a UUID`;
}

const list = (words: readonly string[]): string =>
  words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join();
