import { explain, type MachineFailure } from "../../components/machineFailure";

/** What the table in docs/reliability.md does not strike: it holds the rest against the real client. */

const failure = (operation: MachineFailure["operation"], message: string): string =>
  explain({ operation, node: "k3s-worker-01", vmId: 102, message });

test("a protected guest: the command that ends its protection", () => {
  expect(failure("delete", "can't remove CT 102 - protection mode enabled")).toBe(
    "k3s-worker-01: guest 102 is protected\nnext:  pct set 102 --protection 0 on the Proxmox host, then pulumi up",
  );
});

test("a guest that is gone: the client fails for ever, and a refresh takes it out of the state", () => {
  const message =
    "the requested resource does not exist - Reason: Configuration file 'nodes/pve/lxc/102.conf' does not exist";
  expect(failure("delete", message)).toMatch(/\nnext: {2}pulumi up --refresh$/);
});

test("a shutdown of which nothing was heard leaves the guest standing, a removal perhaps not", () => {
  const lost = (type: string): string =>
    failure(
      "delete",
      `error while waiting for task "UPID:pve:0000336C:0002F291:6B0169B8:${type}:102:pulumi@pve!k3s:" to complete`,
    );
  expect(lost("vzshutdown")).toMatch(/still stands\nnext: {2}pulumi up$/);
  expect(lost("vzdestroy")).toMatch(/is not known\nnext: {2}pulumi up --refresh$/);
});
