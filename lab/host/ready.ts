import { Resolver } from "node:dns/promises";
import * as fs from "node:fs";
import * as https from "node:https";
import * as net from "node:net";
import { artifactHost, isAlive, labNetwork, labPaths, ProcessId, registryPort } from "../lab";
import { lastLines } from "./startInit";

const deadlineMs = 30_000;

/**
 * Waits until the lab's API, sshd, artifact server and name server answer, and its registry if it has one.
 *
 * @throws Error with their last log lines.
 */
export async function awaitReady(name: string, subnet: number, init: ProcessId, hasRegistry: boolean): Promise<void> {
  const { host } = labNetwork(subnet);
  const { logs, ca: caFile } = labPaths(name);
  const ca = fs.readFileSync(caFile, "utf8");
  const checks = {
    api: () => apiAnswers(host, ca),
    sshd: () => speaks(host, 22),
    artifacts: () => accepts(host, 8080),
    "name server": () => knows(host, artifactHost),
    ...(hasRegistry && { registry: () => accepts(host, registryPort) }),
  };
  const deadline = Date.now() + deadlineMs;
  for (const [service, check] of Object.entries(checks)) {
    while (!(await check())) {
      if (!isAlive(init)) throw new Error(`The lab ended while it was raised:${lastLines(logs)}`);
      if (Date.now() > deadline) throw new Error(`The lab's ${service} does not answer:${lastLines(logs)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Any answer counts, if it comes with the lab's certificate. */
function apiAnswers(host: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get({ host, port: 8006, path: "/api2/json/access/domains", ca, timeout: 1000, agent: false });
    request.on("response", (response) => {
      response.resume();
      resolve(true);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

/** sshd sends its version on each connection. */
function speaks(host: string, port: number): Promise<boolean> {
  return connect(host, port, (socket, done) => socket.once("data", () => done(true)));
}

async function knows(server: string, name: string): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([server]);
  return resolver.resolve4(name).then(
    () => true,
    () => false,
  );
}

function accepts(host: string, port: number): Promise<boolean> {
  return connect(host, port, (_, done) => done(true));
}

function connect(
  host: string,
  port: number,
  connected: (socket: net.Socket, done: (result: boolean) => void) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 1000 });
    const done = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.on("connect", () => connected(socket, done));
    socket.on("timeout", () => done(false));
    socket.on("error", () => done(false));
  });
}
