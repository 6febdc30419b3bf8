import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { ServerOptions as TlsOptions } from "node:https";
import { root } from "../access/permissions";
import { ApiError, failure, messageOf, permissionDenied } from "../errors";
import type { PveNode } from "../node";
import { checkParameters, type ParameterTable } from "../schema/schema";
import { authenticate, type Identity } from "./authenticate";
import { Page, type Call, type Endpoint } from "./endpoint";
import type { Exchange, RequestHook } from "./exchange";
import { fileParameter, readUploads, unknownContentType, Upload } from "./upload";

/** Path prefix of the API; `json` is the only format. */
const prefix = "/api2/json";

/** Largest body that PVE reads, uploads apart. */
const maxBodyBytes = 512 * 1024;

/** The same for the host's commands, which call no API on a Proxmox host: enough for the encoded input of a guest's command. */
const maxLocalBodyBytes = 4 * 1024 * 1024;

export interface AppOptions {
  readonly node: PveNode;
  readonly endpoints: readonly Endpoint[];
  /** Undefined for the local socket, whose callers are root. */
  readonly tls?: TlsOptions;
  /** How long the answer to a refused login is delayed. */
  readonly unauthorizedDelayMs: number;
  readonly onRequest?: RequestHook;
  readonly onExchange?: (exchange: Exchange) => void;
}

/** The HTTP side of the API: authentication, permissions, parameters, and answers in PVE's form. */
export function createApp(options: AppOptions): FastifyInstance {
  const app = Fastify({
    ...(options.tls && { https: options.tls }),
    bodyLimit: options.tls ? maxBodyBytes : maxLocalBodyBytes,
    exposeHeadRoutes: false,
    // PVE closes an idle connection after five seconds.
    keepAliveTimeout: 5000,
    forceCloseConnections: true,
    // The client that people use deletes a virtual machine at `…/101/`.
    routerOptions: { maxParamLength: 1000, ignoreDuplicateSlashes: true, ignoreTrailingSlash: true },
  }) as unknown as FastifyInstance;
  app.removeAllContentTypeParsers();
  for (const type of ["application/json", "application/x-www-form-urlencoded"])
    app.addContentTypeParser(type, { parseAs: "string" }, (_request, body, done) => done(null, body));
  readUploads(app);
  app.addContentTypeParser("*", (request, _payload, done) => done(unknownContentType(request)));
  app.decorateRequest("identity", null);
  app.decorateRequest("isUnanswered", false);
  app.addHook("onRequest", async (request) => {
    const identity = options.tls
      ? authenticate(options.node.access, request, apiPath(request))
      : { user: root, byToken: false };
    request.setDecorator("identity", identity);
  });
  app.addHook("preHandler", async (request, reply) => {
    const params = paramsOrNothing(request);
    const { user } = identityOf(request);
    const decision = await options.onRequest?.({ method: request.method, path: apiPath(request), params, user });
    if (decision === "drop") cut(reply);
    if (decision === "drop-answer") request.setDecorator("isUnanswered", true);
  });
  for (const endpoint of options.endpoints) {
    app.route({
      method: endpoint.method,
      url: prefix + endpoint.path.replace(/\{(\w+)\}/g, ":$1"),
      config: { takesFile: endpoint.takesFile, ofHost: endpoint.ofHost },
      handler: async (request, reply) => answer(reply, options, request, await run(options, endpoint, request)),
    });
  }
  app.setNotFoundHandler((request) => {
    const path = apiPath(request);
    throw new ApiError(501, path ? `Method '${request.method} ${path}' not implemented` : "no such uri");
  });
  app.setErrorHandler((error, request, reply) => answerError(reply, options, request, error));
  return app;
}

/** Checks the caller's rights, then the parameters, then runs the endpoint: PVE's order. */
async function run({ node, tls }: AppOptions, endpoint: Endpoint, request: FastifyRequest): Promise<unknown> {
  const { user, byToken } = identityOf(request);
  if (byToken && endpoint.allowToken === false)
    throw permissionDenied(`URI '${apiPath(request)}' not available with API token, need proper ticket.`);
  const raw = { ...sentParams(request), ...fileParameter(request), ...(request.params as Record<string, string>) };
  const call: Call = { node, user, params: asText(raw) };
  checkPermission(endpoint, call);
  // PVE would forward a request for another node, and not find that node.
  if (
    call.params["node"] !== undefined &&
    endpoint.path.startsWith("/nodes/{node}") &&
    call.params["node"] !== node.name
  )
    throw failure(
      `hostname lookup '${call.params["node"]}' failed - failed to get address info for: ${call.params["node"]}: Name or service not known`,
    );
  const table = { ...endpoint.parameters, ...(!tls && endpoint.ofHost) };
  const result = await endpoint.handle({ ...call, params: checkParameters(raw, table) });
  if (request.body instanceof Upload) request.body.take();
  return result;
}

function checkPermission({ permission }: Endpoint, call: Call): void {
  if (permission === "world" || call.user === root) return;
  if (permission === "all") return;
  if (typeof permission === "function") return permission(call);
  const path = permission.path.replace(/\{(\w+)\}/g, (_, name: string) => call.params[name] ?? "");
  call.node.access.permissions().check(call.user, path, permission.privileges, permission.any);
}

/** Parameters of query and body; a form field given twice is an array. */
function sentParams(request: FastifyRequest): Record<string, unknown> {
  const [, query = ""] = (request.raw.url ?? "").split(/\?(.*)/s);
  if (request.body instanceof Upload) return { ...formFields(query), ...request.body.fields };
  const isJson = /^application\/json\b/.test(String(request.headers["content-type"]));
  const body = typeof request.body === "string" ? request.body : "";
  const sent = { ...formFields(query), ...(isJson && body ? jsonFields(body) : formFields(body)) };
  delete sent["_dc"];
  return sent;
}

function formFields(text: string): Record<string, unknown> {
  const form = new URLSearchParams(text);
  return Object.fromEntries(
    [...new Set(form.keys())].map((key) => [key, form.getAll(key).length > 1 ? form.getAll(key) : form.get(key)]),
  );
}

function jsonFields(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // same error as for a body that is no object
  }
  throw new ApiError(400, "Bad Request");
}

function asText(raw: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, String(value)]));
}

function answer(reply: FastifyReply, options: AppOptions, request: FastifyRequest, result: unknown): FastifyReply {
  const page = result instanceof Page ? { data: result.data, total: result.total } : { data: result ?? null };
  return send(reply, options, request, 200, "OK", page);
}

async function answerError(
  reply: FastifyReply,
  options: AppOptions,
  request: FastifyRequest,
  error: unknown,
): Promise<FastifyReply> {
  const tooLarge = (error as { code?: string }).code === "FST_ERR_CTP_BODY_TOO_LARGE";
  const status = error instanceof ApiError ? error.status : tooLarge ? 501 : 500;
  const message = tooLarge ? "for data too large" : messageOf(error);
  if (status === 401) await new Promise((resolve) => setTimeout(resolve, options.unauthorizedDelayMs));
  const errors = error instanceof ApiError ? error.errors : undefined;
  return send(reply, options, request, status, message, {
    data: null,
    message: `${message}\n`,
    ...(errors && { errors }),
  });
}

/** Sends PVE's headers. An error's text is also the reason phrase, and the connection ends. */
function send(
  reply: FastifyReply,
  options: AppOptions,
  request: FastifyRequest,
  status: number,
  message: string,
  body: object,
): FastifyReply {
  const reason = reasonPhrase(message);
  reply.raw.statusMessage = reason;
  const date = new Date().toUTCString();
  void reply.code(status).headers({
    ...{ server: "pve-api-daemon/3.0", date, expires: date, "cache-control": "max-age=0", pragma: "no-cache" },
    ...(status >= 400 && { connection: "close" }),
  });
  options.onExchange?.({
    ...{ method: request.method, path: apiPath(request), params: officialParams(options, request) },
    ...{ user: identityOf(request)?.user ?? "", status, reason, body },
  });
  if (request.getDecorator<boolean>("isUnanswered")) return cut(reply);
  return reply.type("application/json;charset=UTF-8").send(JSON.stringify(body));
}

/** Ends the connection without an answer. */
function cut(reply: FastifyReply): FastifyReply {
  reply.hijack();
  reply.request.raw.socket.destroy();
  return reply;
}

function paramsOrNothing(request: FastifyRequest): Record<string, unknown> {
  try {
    return sentParams(request);
  } catch {
    return {};
  }
}

/** The parameters that were sent, without those that only the host's commands may send. */
function officialParams({ tls }: AppOptions, request: FastifyRequest): Record<string, unknown> {
  const { ofHost = {} } = request.routeOptions.config as { ofHost?: ParameterTable };
  const ofCommands = tls ? [] : Object.keys(ofHost);
  return Object.fromEntries(Object.entries(paramsOrNothing(request)).filter(([name]) => !ofCommands.includes(name)));
}

/** First line, in the characters that a status line may have. */
function reasonPhrase(message: string): string {
  return (message.split("\n")[0] ?? "").replace(/[^\t\x20-\x7e]/g, "?");
}

/** Path below the prefix; empty if the request is not for the API. */
function apiPath(request: FastifyRequest): string {
  const [path = ""] = (request.raw.url ?? "").split("?");
  return path.startsWith(`${prefix}/`) ? path.slice(prefix.length).replace(/(.)\/$/, "$1") : "";
}

function identityOf(request: FastifyRequest): Identity {
  return request.getDecorator<Identity>("identity");
}
