import type { FastifyRequest } from "fastify";
import type { AccessStore } from "../access/accessStore";
import { ApiError } from "../errors";

/** The caller, and whether it used an API token. */
export interface Identity {
  readonly user: string;
  readonly byToken: boolean;
}

/** Requests that PVE accepts from anybody. */
const open = new Set([
  ...["GET /access/domains", "GET /access/ticket", "POST /access/ticket", "POST /access/vncticket"],
  ...["POST /access/openid/login", "POST /access/openid/auth-url"],
]);

/**
 * A ticket in the cookie `PVEAuthCookie`, with a CSRF prevention token on everything but GET, or an API token in
 * `Authorization: PVEAPIToken=…`.
 *
 * @throws ApiError 401 with PVE's text.
 */
export function authenticate(access: AccessStore, request: FastifyRequest, path: string): Identity {
  const header = (name: string) => String(request.headers[name] ?? "");
  const ticket = authValue(header("cookie"), "PVEAuthCookie") ?? authValue(header("authorization"), "PVEAuthCookie");
  const token = authValue(header("authorization"), "PVEAPIToken");
  if (open.has(`${request.method} ${path}`)) return { user: "", byToken: ticket === undefined && token !== undefined };
  if (ticket !== undefined) {
    const user = verified(() => access.verifyTicket(ticket));
    if (request.method !== "GET" && !access.isCsrfToken(user, header("csrfpreventiontoken")))
      throw new ApiError(401, "Permission denied - invalid csrf token");
    return { user, byToken: false };
  }
  if (token === undefined) throw new ApiError(401, "No ticket");
  return { user: verified(() => access.verifyToken(token)), byToken: true };
}

function verified(check: () => string): string {
  try {
    return check();
  } catch {
    throw new ApiError(401, "Authentication failed!");
  }
}

/** `extract_auth_value`: the value after `name=` or `name `, percent-decoded. */
function authValue(header: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}(?:=| )([^;]*)`).exec(header)?.[1];
  if (!value) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
