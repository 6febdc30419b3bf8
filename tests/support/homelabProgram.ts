import { stackCluster } from "./program";
import { newKeyPair } from "./sshKeys";

/* The program with the homelab's stack: its config and secrets, and no credentials of the person who runs the tests. */

// Each recording loads the program and its SDK again, and the machine may be busy.
jest.setTimeout(60_000);

export const COMMAND = "command:remote:Command";
export const CONTAINER = "proxmoxve:index/containerLegacy:ContainerLegacy";
export const NODES = ["k3s-master", "k3s-worker-01", "k3s-worker-02"];

/** Generated for this run. */
const [hostKey, nodeKey] = [newKeyPair(), newKeyPair()];
export const API_TOKEN = "pulumi@pve!test=11111111-2222-3333-4444-555555555555";
export const secrets = {
  proxmoxApiToken: API_TOKEN,
  hostPrivateKey: hostKey.private,
  nodePrivateKey: nodeKey.private,
};
export const cluster: Record<string, unknown> = { ...stackCluster(), ssh: { authorizedKeys: [nodeKey.public] } };

const saved = { ...process.env };
beforeAll(() => {
  for (const name of ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"])
    delete process.env[name];
  // The tests must not use the person's SSH agent.
  delete process.env["SSH_AUTH_SOCK"];
});
afterAll(() => {
  process.env = saved;
});
