import { Lab } from "../support/lab";
import type { PulumiResult } from "../support/pulumiResult";
import { succeeded } from "../support/succeeded";

/*
 * A virtual machine with a problem while it joins: killed in its first boot, without DNS, with a full disk, with a clock that is off by
 * an hour. Each `up` names the cause and what to do, and does not touch K3s. The tests build on each other.
 */

const lab = new Lab("vmtrouble");
const minutes = (count: number) => count * 60_000;
const [VMID, NODE] = [110, "k3s-vm-01"];

beforeAll(async () => {
  await lab.down();
  await lab.up("--vms");
  lab.edit(({ pools }) => {
    pools.worker.count = 0;
    Object.assign(pools.vm, { memory: "1GB", disk: "4GB" });
  });
}, minutes(40));
afterAll(() => lab.down(), minutes(2));

const up = (...options: string[]): Promise<PulumiResult> =>
  lab.pulumiResult("up", "--yes", "--skip-preview", ...options);

const inMachine = (script: string): Promise<string> => lab.inMachine(VMID, script);

/** Runs `act` once the guest agent answers, while `up` waits for the end of cloud-init. */
async function upWith(act: () => Promise<unknown>, ...options: string[]): Promise<PulumiResult> {
  const running = up(...options);
  await lab.host(`timeout 900 sh -c 'until qm agent ${VMID} ping 2>/dev/null; do sleep 0.2; done'`);
  await act();
  return running;
}

/** Names the machine's resource as the program does. */
let urn: string;

const dns = (verb: "-I" | "-D") =>
  ["udp", "tcp"].map((protocol) => `iptables ${verb} OUTPUT -p ${protocol} --dport 53 -j DROP`).join("\n");

/** The output of the `up` about the node. */
function refused({ code, errors }: PulumiResult): string {
  expect(code).not.toBe(0);
  return errors.join("\n");
}

const untouched = async (): Promise<void> =>
  expect(await inMachine("ls /etc/rancher/k3s/token /var/lib/rancher/k3s/agent 2>/dev/null || true")).toBe("");

it(
  "is killed while cloud-init runs: up names it, and the command that replaces it",
  async () => {
    const run = await upWith(() => lab.host(`kill -9 $(cat /run/qemu-server/${VMID}.pid)`));
    const said = refused(run);
    expect(said).toContain(`${NODE} (${VMID}) stopped by itself while it was set up`);
    urn = /pulumi up --replace '(urn:[^']+)', which creates it again/.exec(said)?.[1] ?? "";
    expect(urn).toMatch(new RegExp(`VmLegacy::${NODE}$`));
  },
  minutes(20),
);

it(
  "that command creates a machine whose first boot succeeds; its node then has no DNS",
  async () => {
    const run = await upWith(() => inMachine(`${dns("-I")}\ndate -s '+1 hour'`), "--replace", urn);
    expect(refused(run)).toMatch(
      new RegExp(`could not be downloaded on ${NODE}[^]*next: +see that the node reaches it \\(DNS, route, proxy\\)`),
    );
    await untouched();
  },
  minutes(20),
);

it(
  "has a full disk",
  async () => {
    await inMachine(`${dns("-D")}\nfallocate -l $(($(df --output=avail -B1 /var | tail -1) - 300000000)) /var/full`);
    expect(refused(await up())).toMatch(
      new RegExp(
        `${NODE} is not ready for K3s:[^]*only \\d+ MiB are free below /var/lib \\(give the node a larger disk\\)`,
      ),
    );
    await untouched();
  },
  minutes(10),
);

it(
  "has a clock that is an hour off",
  async () => {
    await inMachine("rm /var/full");
    expect(refused(await up())).toMatch(
      new RegExp(
        `${NODE} is not ready for K3s:[^]*its clock is 3[56]\\d\\d s off the server's \\(set the clock of both`,
      ),
    );
    await untouched();
  },
  minutes(10),
);

it(
  "joins once its clock is right, and a further up changes nothing",
  async () => {
    await inMachine(`date -s @${Math.round(Date.now() / 1000)}`);
    succeeded(await up());
    expect((await lab.cluster("check", "--before")).code).toBe(0);
    await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
    await lab.pulumiOk("destroy", "--yes", "--skip-preview");
  },
  minutes(25),
);
