import { ownCommand } from "../../config/ownCommand";
import { readAdvice } from "../../remote/advice";
import { installGate } from "../../remote/gateCheck";
import { ConnectionError, HostKeyError, runTask, type ShellTask } from "../../remote/sshClient";
import type { ClusterPlan } from "../../plan/model";
import { preflightArgs } from "../../plan/render/preflightArgs";
import { fail, type Finding, ok, parseFindings, skip, withState } from "./finding";
import { clusterStepName } from "../../plan/steps";
import type { StackState } from "../state";

/**
 * Checks the SSH connection to the Proxmox host, and runs the same preflight script there as `pulumi up`.
 * @param hostKey private key for root on the host; undefined if there is no usable one
 * @param state of the cluster; it has no mark before the first `up`
 */
export async function checkHost(
  plan: ClusterPlan,
  hostKey: string | undefined,
  state: Pick<StackState, "guests" | "mark">,
): Promise<Finding[]> {
  const { host, sshPort, sshUser, hostKey: pinned } = plan.proxmox;
  if (hostKey === undefined) return [skip("ssh", "there is no usable key"), skip("host", "there is no usable key")];
  const task: ShellTask = {
    task: "preflight",
    action: "look",
    step: clusterStepName(plan.name, "doctor"),
    title: ownCommand("doctor"),
    lock: `doctor-${plan.name}`,
    boundSeconds: 60,
    args: preflightArgs(plan),
    inputs: { MARK: state.mark(plan.name) ?? "" },
  };
  const target = { host, port: sshPort, user: sshUser, privateKey: hostKey, hostKey: pinned, dials: 1 };
  const where = `${sshUser}@${host}`;
  try {
    const inState = new Set(state.guests.map(({ vmId }) => vmId));
    const findings = withState(parseFindings(await runTask(target, task)), inState);
    return [
      ok("ssh", `${where} accepts the key`),
      ok("host-key", "the host key is proxmox.hostKey"),
      ok("gate", "the host runs this program's scripts"),
      ...findings,
    ];
  } catch (error) {
    return [...explain(error as Error, { where, host, pinned }), skip("host", "the checks did not run on the host")];
  }
}

interface Place {
  /** `root@192.168.2.167` */
  readonly where: string;
  readonly host: string;
  readonly pinned: string;
}

function explain(error: Error, { where, host, pinned }: Place): Finding[] {
  const cause = (error.cause ?? error) as Error & { level?: string };
  if (cause instanceof HostKeyError) {
    const remedy = `compare this key with /etc/ssh/ssh_host_ed25519_key.pub on the host itself; if they are the same, set proxmox.hostKey to it`;
    return [ok("ssh", `${where} answers`), fail("host-key", cause.message, remedy)];
  }
  switch (cause.level) {
    case "client-authentication":
      return [
        fail(
          "ssh",
          `${where} refuses the key`,
          "add its public key to /root/.ssh/authorized_keys on the host, or set hostPrivateKey to the right key",
        ),
        ok("host-key", "the host key is proxmox.hostKey"),
      ];
    case "client-socket":
    case "client-timeout":
      return [
        fail(
          "ssh",
          `${where} does not answer: ${cause.message}`,
          "check proxmox.host and proxmox.sshPort, and that sshd runs on the host",
        ),
        skip("host-key", "no answer"),
      ];
    case "handshake":
      return [
        ok("ssh", `${where} answers`),
        fail(
          "host-key",
          `the host has no host key of the type in proxmox.hostKey, ${pinned.split(" ")[0]}: ${cause.message}`,
          "set proxmox.hostKey to /etc/ssh/ssh_host_ed25519_key.pub of the host",
        ),
      ];
    default: {
      // The connection ended before the host showed its key.
      if (cause instanceof ConnectionError || error instanceof ConnectionError)
        return [
          fail(
            "ssh",
            `${where}: ${cause.message}`,
            `find out on ${host} why sshd drops the connection: journalctl -u ssh`,
          ),
          skip("host-key", "no answer"),
        ];
      // The host's own error: the gate refused, or the script failed and named its next step.
      const { cause: seen = cause.message, next: remedy } = readAdvice(cause.message);
      return [ok("host-key", "the host key is proxmox.hostKey"), fail("gate", seen, remedy ?? installGate(host))];
    }
  }
}
