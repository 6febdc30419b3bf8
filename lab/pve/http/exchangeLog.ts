import * as fs from "node:fs";
import type { Exchange } from "./exchange";

/** Keys with secrets in a request or an answer: passwords, tickets, tokens and variables of a guest. */
const secretKeys = new Set([
  ...["password", "otp", "tfa-challenge", "ticket", "CSRFPreventionToken", "cipassword", "env"],
  // Input and output of a command in a guest.
  ...["input-data", "out-data", "err-data"],
  // The secret of a new API token, and the value of an option, which may be `env`.
  ...["value", "pending"],
]);

/** Writes each exchange as one line of JSON, without secrets. */
export function exchangeLog(file: string): (exchange: Exchange) => void {
  return (exchange) => fs.appendFileSync(file, `${JSON.stringify(withoutSecrets(exchange))}\n`, { mode: 0o600 });
}

export function readExchangeLog(file: string): Exchange[] {
  const lines = fs.readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Exchange);
}

/** The same with every secret text replaced, so that its form can still be checked. */
export function withoutSecrets(exchange: Exchange): Exchange {
  const copy = JSON.stringify(exchange, (key, value: unknown) =>
    secretKeys.has(key) && typeof value === "string" ? "not-shown" : value,
  );
  return JSON.parse(copy) as Exchange;
}
