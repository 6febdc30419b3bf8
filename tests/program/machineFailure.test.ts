import { explain, type MachineFailure } from "../../components/machine/machineFailure";

/** Failures that are not in the table of docs/reliability.md, whose rows are tested with the real provider. */

const failure = (operation: MachineFailure["operation"], message: string): string =>
  explain({ operation, node: "k3s-worker-01", kind: "lxc", vmId: 102, urn: "urn:worker", pool: "homelab", message });

test.each([
  ["can't remove CT 102 - protection mode enabled", "is protected", "pct set 102 --protection 0"],
  [
    "unable to remove CT 102 - used in HA resources and purge parameter not set.",
    "is in the high availability of Proxmox VE",
    "ha-manager remove ct:102",
  ],
  [
    "There is a replication job '102-0' for guest 102 - please remove that first.",
    "is copied by a replication job",
    "pvesr list, and pvesr delete 102-0",
  ],
])("a guest that Proxmox VE does not remove (%s): the hint has the command that allows it", (message, cause, end) => {
  expect(failure("delete", message)).toBe(
    `k3s-worker-01: guest 102 ${cause}\nnext:  ${end} on the Proxmox host, then pulumi up`,
  );
});

describe("a clone that is refused", () => {
  const said = (message: string): string =>
    explain({
      ...{ operation: "create", node: "k3s-vm-1", kind: "vm", vmId: 120, urn: "urn:vm", pool: "homelab" },
      message: `VM clone: All attempts fail:\n#1: error cloning VM: received an HTTP ${message}`,
    });

  test("because a privilege on the template is missing: the hint names the role and the path", () => {
    expect(said("403 response - Reason: Permission check failed (/vms/9000, VM.Clone)")).toBe(
      `k3s-vm-1: the API token may not copy the template 9000\nnext:  grant PulumiK3sTemplate at /vms/9000 (docs/by-hand.md, "An API token"; npx proxmox-k3s doctor prints the command), then pulumi up`,
    );
  });

  test("because the template is locked: the hint does not unlock the machine", () => {
    expect(said("500 response - Reason: VM is locked (backup)")).toBe(
      "k3s-vm-1: the template of guest 120 is locked by another task on the Proxmox host, for example a backup\nnext:  wait until that task ends, then pulumi up",
    );
  });
});

describe("a guest outside the pool", () => {
  const said = (operation: MachineFailure["operation"], privilege: string): string =>
    failure(operation, `received an HTTP 403 response - Reason: Permission check failed (/vms/102, ${privilege})`);
  const outside =
    "k3s-worker-01: the API token may not change guest 102, which is not in the resource pool homelab\nnext:  ";
  const move = "pveum pool modify homelab --allow-move 1 --vms 102 on the Proxmox host, then pulumi up";

  test("before a change, the claim has checked that it is ours: the hint moves it into the pool", () => {
    expect(said("update", "VM.Config.CPU")).toBe(outside + move);
  });

  test("before a removal, it may not be ours: the hint names the check and the command for each case", () => {
    expect(said("delete", "VM.PowerMgmt")).toBe(
      `${outside}check with pct config 102 on the Proxmox host whose guest it is. If it is not yours: pulumi state delete --yes --target-dependents 'urn:worker', then pulumi up. If it is yours: ${move}`,
    );
  });

  test("before a creation, it is not ours: the hint does not move it into the pool", () => {
    expect(said("create", "VM.Config.Options")).toBe(`${outside}pulumi up, which names the guest that has this VMID`);
  });
});

test.each(["create", "update", "delete"] as const)(
  "a certificate that is not trusted: no request was made (%s), and the hint is the doctor, which says what is wrong",
  (operation) => {
    const why = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    expect(failure(operation, `failed to perform HTTP POST request - Reason: Post "https://pve:8006/": ${why}`)).toBe(
      "k3s-worker-01: the Proxmox provider does not trust the API's certificate, so it sent no request\n" +
        "next:  npx proxmox-k3s doctor, which says what is wrong with the certificate; then pulumi up",
    );
  },
);

test("a guest that no longer exists: the hint is a refresh, which removes it from the state", () => {
  const message =
    "the requested resource does not exist - Reason: Configuration file 'nodes/pve/lxc/102.conf' does not exist";
  expect(failure("delete", message)).toMatch(/\nnext: {2}pulumi up --refresh$/);
});

test("a shutdown with an unknown result leaves the guest; a removal with an unknown result may not", () => {
  const lost = (type: string): string =>
    failure(
      "delete",
      `error while waiting for task "UPID:pve:0000336C:0002F291:6B0169B8:${type}:102:pulumi@pve!k3s:" to complete`,
    );
  expect(lost("vzshutdown")).toMatch(
    /still exists\nnext: {2}fix the cause in the message of Proxmox VE, then pulumi up$/,
  );
  expect(lost("vzdestroy")).toMatch(/it is not known whether guest 102 was removed\nnext: {2}pulumi up --refresh$/);
});

test("a protected guest's disk cannot be changed: the hint has the command that allows it", () => {
  expect(failure("update", "can't update CT 102 drive 'rootfs' - protection mode enabled")).toBe(
    "k3s-worker-01: guest 102 is protected\nnext:  pct set 102 --protection 0 on the Proxmox host, then pulumi up",
  );
});

test("a disk that somebody grew on the host: both sizes and both solutions; never the command that has just failed", () => {
  expect(failure("update", "new disk size (50G) has to be greater than the current disk (80G)")).toBe(
    "k3s-worker-01: its disk has 80GB, the config says 50GB, and a disk cannot shrink; it was not changed\n" +
      "next:  set disk: 80GB in the config, then pulumi up; for a smaller disk, retire the node and add another",
  );
});
