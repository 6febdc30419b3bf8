/**
 * A language host for Pulumi programs in TypeScript, instead of the released `pulumi-language-nodejs`, which is no module.
 * The engine starts it with the engine's address as the last argument and reads the port from the first line of stdout;
 * from then on it calls the gRPC service `LanguageRuntime`.
 *
 * It runs programs, plugins and policy packs with the runners that `@pulumi/pulumi` brings. It reports no required
 * packages, because every resource has its plugin's version, and has no debugger and no code generation.
 *
 * The install step compiles this file by itself, so it imports nothing of the project at run time: gRPC and the
 * messages come from the program's own `@pulumi/pulumi`.
 */
import type * as grpc from "@grpc/grpc-js";
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import * as path from "node:path";
import type * as languageService from "@pulumi/pulumi/proto/language_grpc_pb";
import type * as language from "@pulumi/pulumi/proto/language_pb";
import type * as plugin from "@pulumi/pulumi/proto/plugin_pb";
import type * as emptyMessages from "google-protobuf/google/protobuf/empty_pb";

/** The runner's exit code after it has shown the program's error itself. */
const errorWasShown = 32;

const engineAddress =
  process.argv
    .slice(2)
    .filter((argument) => !argument.startsWith("-"))
    .at(-1) ?? "";

const fromProgram = createRequire(path.join(process.cwd(), "package.json"));
const fromSdk = createRequire(fromProgram.resolve("@pulumi/pulumi/package.json"));
const rpc = fromSdk("@grpc/grpc-js") as typeof grpc;
const service = fromSdk("@pulumi/pulumi/proto/language_grpc_pb") as typeof languageService;
const messages = fromSdk("@pulumi/pulumi/proto/language_pb") as typeof language;
const pluginMessages = fromSdk("@pulumi/pulumi/proto/plugin_pb") as typeof plugin;
const { Empty } = fromSdk("google-protobuf/google/protobuf/empty_pb") as typeof emptyMessages;
const sdkVersion = (fromSdk("@pulumi/pulumi/package.json") as { version: string }).version;

const children = new Set<ChildProcess>();

/** Ends the running programs and then this process, whether the engine cancels or ends. */
function stop(): void {
  for (const child of children) child.kill("SIGTERM");
  process.exit(0);
}

/** Starts a runner of `@pulumi/pulumi`, resolved from the program's folder, with this process's Node. */
function start(runner: string, args: string[], cwd: string, info: language.ProgramInfo, env: NodeJS.ProcessEnv) {
  const options = (info.getOptions()?.toJavaScript() ?? {}) as {
    typescript?: boolean;
    tsconfig?: string;
    nodeargs?: string;
  };
  const script = createRequire(path.join(info.getProgramDirectory(), "package.json")).resolve(
    `@pulumi/pulumi/cmd/${runner}`,
  );
  const nodeArguments = options.nodeargs?.split(/\s+/).filter(Boolean) ?? [];
  const child = spawn(process.execPath, [...nodeArguments, script, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...env,
      PULUMI_NODEJS_TYPESCRIPT: String(options.typescript ?? true),
      ...(options.tsconfig ? { PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig } : {}),
    },
  });
  children.add(child);
  child.on("close", () => children.delete(child));
  return child;
}

/** `--name value`, or nothing if there is no value. */
const flag = (name: string, value: string): string[] => (value ? [`--${name}`, value] : []);

const run: grpc.handleUnaryCall<language.RunRequest, language.RunResponse> = (call, reply) => {
  const request = call.request;
  const info = request.getInfo() ?? new messages.ProgramInfo();
  const config = Object.fromEntries(request.getConfigMap().toObject(false));
  const args = [
    ...flag("monitor", request.getMonitorAddress()),
    ...flag("engine", engineAddress),
    ...flag("organization", request.getOrganization()),
    ...flag("project", request.getProject()),
    ...flag("root-directory", info.getRootDirectory()),
    ...flag("stack", request.getStack()),
    ...flag("pwd", info.getProgramDirectory()),
    ...(request.getDryrun() ? ["--dry-run"] : []),
    ...flag("parallel", String(request.getParallel())),
    info.getEntryPoint() || ".",
    ...request.getArgsList(),
  ];
  const child = start("run", args, request.getPwd(), info, {
    ...process.env,
    PULUMI_CONFIG: JSON.stringify(config),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
  });
  child.stdout.pipe(process.stdout, { end: false });
  child.stderr.pipe(process.stderr, { end: false });
  child.on("error", (error) => reply({ code: rpc.status.INTERNAL, message: error.message }));
  child.on("close", (code, signal) => {
    const response = new messages.RunResponse();
    if (code === errorWasShown) response.setBail(true);
    else if (code !== 0) response.setError(`Program exited with non-zero exit code: ${signal ?? code}`);
    reply(null, response);
  });
};

/** Runs a policy pack or a plugin written in TypeScript, and streams its output and exit code. */
const runPlugin: grpc.handleServerStreamingCall<language.RunPluginRequest, language.RunPluginResponse> = (call) => {
  const request = call.request;
  const info = request.getInfo() ?? new messages.ProgramInfo();
  const folder = info.getProgramDirectory();
  const isPolicyPack = request.getKind() === "analyzer";
  const env = Object.fromEntries(
    request.getEnvList().map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
  const child = isPolicyPack
    ? start("run-policy-pack", [...request.getArgsList(), folder], folder, info, env)
    : start("run-plugin", [folder, ...request.getArgsList()], request.getPwd(), info, env);
  const send = (fill: (response: language.RunPluginResponse) => void) => {
    const response = new messages.RunPluginResponse();
    fill(response);
    call.write(response);
  };
  child.stdout.on("data", (data: Buffer) => send((response) => response.setStdout(data)));
  child.stderr.on("data", (data: Buffer) => send((response) => response.setStderr(data)));
  child.on("error", (error) => call.destroy(error));
  child.on("close", (code) => {
    send((response) => response.setExitcode(code ?? 1));
    call.end();
  });
  call.on("cancelled", () => child.kill("SIGTERM"));
};

/** Answers every request with the result of `make`. */
function answer<Request, Response>(make: () => Response): grpc.handleUnaryCall<Request, Response> {
  return (_call, reply) => reply(null, make());
}

const implemented: Partial<languageService.ILanguageRuntimeServer> = {
  handshake: answer(() => new messages.LanguageHandshakeResponse()),
  getRequiredPackages: answer(() => new messages.GetRequiredPackagesResponse()),
  getRequiredPlugins: answer(() => new messages.GetRequiredPluginsResponse()),
  getProgramDependencies: answer(() => new messages.GetProgramDependenciesResponse()),
  runtimeOptionsPrompts: answer(() => new messages.RuntimeOptionsResponse()),
  getPluginInfo: answer(() => new pluginMessages.PluginInfo().setVersion(sdkVersion)),
  about: answer(() => new messages.AboutResponse().setExecutable(process.execPath).setVersion(process.version)),
  cancel: (_call, reply) => {
    reply(null, new Empty());
    setImmediate(stop);
  },
  run,
  runPlugin,
};

function serve(): void {
  const server = new rpc.Server();
  const missing = (name: string) => (_call: unknown, reply: grpc.sendUnaryData<never>) =>
    reply({ code: rpc.status.UNIMPLEMENTED, message: `the lab's Node.js language host has no ${name}` });
  const all = Object.keys(service.LanguageRuntimeService).map((name): [string, grpc.UntypedHandleCall] => [
    name,
    implemented[name as never] ?? missing(name),
  ]);
  server.addService(service.LanguageRuntimeService, Object.fromEntries(all));
  server.bindAsync("127.0.0.1:0", rpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${port}\n`);
  });
  // The engine holds the other end of stdin, which closes however the engine ends.
  process.stdin.on("end", stop).on("error", stop).resume();
  process.on("SIGINT", stop).on("SIGTERM", stop);
}

serve();
