import * as net from "node:net";

import { setTimeout as sleep } from "node:timers/promises";

import { DIAL_SECONDS } from "./dialing";

const SSH_PORT = 22;

/**
 * Whether a new connection from this machine reaches the SSH server at one of the addresses. The server sends its greeting first,
 * so no login is needed.
 * @param seconds how long it tries
 */
export async function sshAnswers(addresses: readonly string[], seconds: number): Promise<boolean> {
  const until = Date.now() + seconds * 1000;
  do {
    const answers = await Promise.all(addresses.map(greets));
    if (answers.includes(true)) return true;
    await sleep(500);
  } while (Date.now() < until);
  return false;
}

function greets(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: SSH_PORT, timeout: DIAL_SECONDS * 1000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (data) => end(data.toString("latin1").startsWith("SSH-")));
    for (const event of ["error", "timeout", "close"]) socket.once(event, () => end(false));
  });
}
