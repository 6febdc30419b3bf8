import { readAdvice } from "../../remote/advice";
import { installGate } from "../../remote/gateCheck";
import { ConnectionError, HostKeyError, runTask, type ShellTask } from "../../remote/sshClient";
import type { ClusterPlan } from "../../plan/model";
import { preflightArgs } from "../../plan/render/preflightArgs";
import { fail, type Finding, ok, parseFindings, skip } from "./finding";
import { clusterStepName } from "../../plan/steps";

/**
 * Checks the way to the Proxmox host, and there what `pulumi up` checks before the first machine is made: the same script.
 * @param hostKey private key for root on the host; undefined where there is none that can be used
 * @param mark of the cluster's guests; undefined until its first `up`
 */
export async function checkHost(plan: ClusterPlan, hostKey: string | undefined, mark?: string): Promise<Finding[]> {
  const { host, sshPort, sshUser, hostKey: pinned } = plan.proxmox;
  if (hostKey === undefined) return [skip("ssh", "there is no usable key"), skip("host", "there is no usable key")];
  const task: ShellTask = {
    task: "preflight",
    action: "look",
    step: clusterStepName(plan.name, "doctor"),
    title: "npm run doctor",
    lock: `doctor-${plan.name}`,
    boundSeconds: 60,
    args: preflightArgs(plan),
    inputs: { MARK: mark ?? "" },
  };
  const target = { host, port: sshPort, user: sshUser, privateKey: hostKey, hostKey: pinned, dials: 1 };
  const where = `${sshUser}@${host}`;
  try {
    const findings = parseFindings(await runTask(target, task));
    return [
      ok("ssh", `${where} accepts the key`),
      ok("host-key", "it is proxmox.hostKey"),
      ok("gate", "the host runs the program's scripts"),
      ...findings,
    ];
  } catch (error) {
    return [...explain(error as Error, { where, host, pinned }), skip("host", "the checks did not run there")];
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
    const remedy = `compare with /etc/ssh/ssh_host_ed25519_key.pub on the host itself; if it is the host's, set proxmox.hostKey to it`;
    return [ok("ssh", `${where} answers`), fail("host-key", cause.message, remedy)];
  }
  switch (cause.level) {
    case "client-authentication":
      return [
        fail(
          "ssh",
          `${where} refuses the key`,
          "put its public half into /root/.ssh/authorized_keys on the host, or set hostPrivateKey to the right one",
        ),
        ok("host-key", "it is proxmox.hostKey"),
      ];
    case "client-socket":
    case "client-timeout":
      return [
        fail(
          "ssh",
          `${where} does not answer: ${cause.message}`,
          "see that proxmox.host and sshPort are right and sshd runs there",
        ),
        skip("host-key", "no answer"),
      ];
    case "handshake":
      return [
        ok("ssh", `${where} answers`),
        fail(
          "host-key",
          `it has no key of proxmox.hostKey's type, ${pinned.split(" ")[0]}: ${cause.message}`,
          "set proxmox.hostKey to /etc/ssh/ssh_host_ed25519_key.pub of the host",
        ),
      ];
    default: {
      // Lost before the host has shown a key: nothing is known of that.
      if (cause instanceof ConnectionError || error instanceof ConnectionError)
        return [
          fail("ssh", `${where}: ${cause.message}`, `see that sshd on ${host} takes connections: journalctl -u ssh`),
          skip("host-key", "no answer"),
        ];
      // What the machine itself says: the gate's refusal, or the script's own failure with its next step.
      const { cause: seen = cause.message, next: remedy } = readAdvice(cause.message);
      return [ok("host-key", "it is proxmox.hostKey"), fail("gate", seen, remedy ?? installGate(host))];
    }
  }
}
