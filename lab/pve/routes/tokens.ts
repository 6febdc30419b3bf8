import type { Token } from "../access/userConfig";
import { failure, parameterError } from "../errors";
import type { Call, Endpoint } from "../http/endpoint";
import { splitList } from "../schema/formats";
import { optional, required } from "../schema/schema";
import { existingUser } from "./access";
import { flag, text, userid } from "./parameters";

const tokenPath = "/access/users/{userid}/token/{tokenid}";
const tokenid = required("string", { pattern: /^[A-Za-z][A-Za-z0-9._-]+$/ });
const fields = { expire: optional("integer", { minimum: 0 }), privsep: flag, comment: text };

/** A user's own tokens, or anybody's with `User.Modify`. */
const permission = ({ node, user, params }: Call) => {
  if (user !== params["userid"]) node.access.permissions().check(user, "/access/groups", ["User.Modify"]);
};

/** API tokens of users. */
export const tokenEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/access/users/{userid}/token",
    parameters: { userid },
    permission,
    handle: ({ node, params }) =>
      [...existingUser(node, params["userid"]!).tokens].map(([name, token]) => ({ tokenid: name, ...shown(token) })),
  },
  {
    method: "GET",
    path: tokenPath,
    parameters: { userid, tokenid },
    permission,
    handle: (call) => shown(existingToken(call)),
  },
  { method: "POST", path: tokenPath, parameters: { userid, tokenid, ...fields }, permission, handle: create },
  {
    method: "PUT",
    path: tokenPath,
    parameters: {
      ...{ userid, tokenid, ...fields },
      regenerate: flag,
      delete: optional("string", { format: "pve-configid-list" }),
    },
    permission,
    handle: update,
  },
  {
    method: "DELETE",
    path: tokenPath,
    parameters: { userid, tokenid },
    permission,
    handle: (call) => {
      const { node, params } = call;
      existingToken(call);
      node.access.update((config) => {
        config.users.get(params["userid"]!)?.tokens.delete(params["tokenid"]!);
        for (const grants of config.acl.values()) grants.tokens.delete(fullId(call));
      });
      node.access.removeTokenSecret(fullId(call));
    },
  },
];

function create(call: Call): unknown {
  const { node, params } = call;
  const { tokens } = existingUser(node, params["userid"]!);
  if (tokens.has(params["tokenid"]!)) throw parameterError({ tokenid: "Token already exists." });
  const token: Token = {
    expire: Number(params["expire"] ?? 0),
    privsep: params["privsep"] !== "0",
    comment: params["comment"] ?? "",
  };
  node.access.update((config) => config.users.get(params["userid"]!)?.tokens.set(params["tokenid"]!, token));
  return { info: shown(token), value: node.access.setTokenSecret(fullId(call)), "full-tokenid": fullId(call) };
}

function update(call: Call): unknown {
  const { node, params } = call;
  existingToken(call);
  const unknown = splitList(params["delete"]).find((key) => key !== "comment");
  if (unknown) throw parameterError({ delete: `unknown option '${unknown}'` });
  const token = node.access.update((config) => {
    const found = config.users.get(params["userid"]!)!.tokens.get(params["tokenid"]!)!;
    if (params["privsep"] !== undefined) found.privsep = params["privsep"] === "1";
    if (params["expire"] !== undefined) found.expire = Number(params["expire"]);
    if (params["comment"] !== undefined) found.comment = params["comment"];
    if (params["delete"]) found.comment = "";
    return found;
  });
  if (params["regenerate"] !== "1") return shown(token);
  return { ...shown(token), value: node.access.setTokenSecret(fullId(call)), "full-tokenid": fullId(call) };
}

function existingToken({ node, params }: Call): Token {
  const user = params["userid"]!;
  const token = existingUser(node, user).tokens.get(params["tokenid"]!);
  if (!token) throw failure(`no such token '${params["tokenid"]}' for user '${user}'`);
  return token;
}

function shown({ expire, privsep, comment }: Token): Record<string, unknown> {
  return { expire, privsep: privsep ? 1 : 0, ...(comment && { comment }) };
}

function fullId({ params }: Call): string {
  return `${params["userid"]}!${params["tokenid"]}`;
}
