import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { ensurePackages } from "../../lab/host/packages";
import { doorsOf } from "../../plan/firewall";
import { nftables } from "../../plan/render/nftables";
import { firewallPlan } from "../support/firewallPlan";

/*
 * The firewall of a node in its kernel: real rules and real packets, in network namespaces. Only systemd is a double. Needs root on
 * Linux.
 */

const GUEST_SCRIPT = path.join(__dirname, "../../scripts/host/files/guest-firewall.sh");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "firewall-"));
const file = (name: string): string => path.join(scratch, name);
beforeAll(() => ensurePackages(() => {}, [{ name: "nftables", command: "nft" }]), 300_000);
afterAll(() => fs.rmSync(scratch, { recursive: true }));

/** Runs shell in new network, mount and PID namespaces, which have their own `/etc/k3smesh` and `/run`. */
function isolated(shell: string, seconds = 60): string[] {
  const setUp = `set -eu
    mount -t tmpfs none /run
    mkdir -p ${file("etc")} /run/k3smesh
    PATH=${file("bin")}:$PATH
    guest() { sh ${file("guest.sh")} "$@"; }
    offer() { cp "$1" /run/k3smesh/rules.nft; }
    table() { nft list table inet k3smesh 2>/dev/null | grep -c '192.168.2.2[123]' || :; }
    `;
  fs.rmSync(file("etc"), { recursive: true, force: true });
  const args = ["--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", setUp + shell];
  const { stdout, stderr, status } = spawnSync("unshare", args, { encoding: "utf8", timeout: seconds * 1000 });
  if (status !== 0) throw new Error(`exit code ${status}: ${stderr}\n${stdout}`);
  return stdout.trim().split("\n");
}

const TWO = firewallPlan();
const THREE = firewallPlan({ pools: { worker: { count: 3 } } });
beforeAll(() => {
  fs.mkdirSync(file("bin"));
  // Its verbs are in a file; an enabled unit is there once.
  fs.writeFileSync(file("bin/systemctl"), `#!/bin/sh\necho "systemctl $*" >>${file("calls")}\n`, { mode: 0o755 });
  fs.writeFileSync(file("bin/systemd-run"), `#!/bin/sh\necho "systemd-run $*" >>${file("calls")}\n`, { mode: 0o755 });
  const text = fs.readFileSync(GUEST_SCRIPT, "utf8");
  fs.writeFileSync(
    file("guest.sh"),
    text.replaceAll("/etc/k3smesh", file("etc")).replaceAll("/etc/systemd/system", file("units")),
  );
  fs.mkdirSync(file("units"));
  fs.writeFileSync(file("two.nft"), `${nftables(TWO)}\n`);
  fs.writeFileSync(file("three.nft"), `${nftables(THREE)}\n`);
  fs.writeFileSync(file("wrong.nft"), "table inet k3smesh {\n  nonsense\n}\n");
});

/** What the host sends in addition to the rules. */
const sent = `cp ${file("guest.sh")} /run/k3smesh/guest-firewall.sh; echo '[Unit]' >/run/k3smesh/k3smesh.service`;

describe("a node", () => {
  beforeEach(() => fs.writeFileSync(file("calls"), ""));
  const calls = (): string => fs.readFileSync(file("calls"), "utf8");

  test("has rules on trial at once, on no disk, with a timer; once kept, they are loaded at boot", () => {
    const [tried, onDisk, kept, loaded, again, mode] = isolated(`${sent}
      offer ${file("two.nft")}; guest try 60; ls ${file("etc")} | tr '\\n' ' '; echo; guest keep; table
      guest try 60; stat -c %a /run/k3smesh`);
    expect([tried, onDisk, kept, again, mode]).toEqual(["tried", "guest-firewall.sh ", "kept", "unchanged", "700"]);
    expect(Number(loaded)).toBeGreaterThan(0);
    expect(calls()).toContain("--unit=k3smesh-back --on-active=60 ");
    expect(calls()).toContain("systemctl stop k3smesh-back.timer");
    expect(fs.readdirSync(file("units"))).toEqual(["k3smesh.service"]);
  });

  test("goes back to the former rules, or to none, when the timer ends", () => {
    const lines = isolated(`${sent}
      offer ${file("two.nft")}; guest try 60; guest back; table; guest keep
      guest try 60; guest keep
      offer ${file("three.nft")}; guest try 60; nft list table inet k3smesh | grep -c '192.168.2.23'; guest back
      nft list table inet k3smesh | grep -c '192.168.2.23' || :; table; guest keep`);
    expect(lines).toEqual([
      ...["tried", "former", "0", "former"],
      ...["tried", "kept"],
      ...["tried", "2", "former", "0"],
      expect.stringMatching(/^[1-9]/),
      "former",
    ]);
  });

  test("accepts the peers that the host sends, also during a trial, and refuses what nft refuses", () => {
    const lines = isolated(`${sent}
      offer ${file("two.nft")}; guest try 60; guest keep
      offer ${file("three.nft")}; guest give; cmp ${file("three.nft")} ${file("etc")}/rules.nft && echo same
      offer ${file("wrong.nft")}; guest try 60 | grep -e '^error' -e '^next'; table`);
    expect(lines.slice(0, 4)).toEqual(["tried", "kept", "given", "same"]);
    expect(lines.slice(4, 6)).toEqual([
      "error: nft refuses the rules",
      "next: fix cluster.firewall in the config, or report the lines above",
    ]);
    expect(Number(lines[6])).toBeGreaterThan(0);
  });

  test("keeps the rules that the host names, and no others that arrived in between", () => {
    const lines = isolated(`${sent}
      offer ${file("two.nft")}; guest try 60; guest keep
      offer ${file("three.nft")}; guest try 60; offer ${file("two.nft")}; guest give
      offer ${file("three.nft")}; guest keep; cmp ${file("two.nft")} ${file("etc")}/rules.nft && echo same`);
    expect(lines).toEqual(["tried", "kept", "tried", "given", "former", "same"]);
  });

  test("without writable units, as in NixOS, keeps its rules for the unit that its system has", () => {
    const units = file("units");
    fs.rmSync(units, { recursive: true });
    fs.mkdirSync(units);
    const lines = isolated(`mount --bind ${units} ${units}; mount -o remount,bind,ro ${units}; ${sent}
      offer ${file("two.nft")}; guest try 60; guest keep; cmp ${file("two.nft")} ${file("etc")}/rules.nft && echo same
      guest off; nft list tables; ls -d ${file("etc")} 2>/dev/null || echo none`);
    expect(lines).toEqual(["tried", "kept", "same", "off", "none"]);
    expect(calls()).not.toMatch(/enable|disable/);
  });

  test("removes all its rules when it is switched off, and keeps other programs' tables", () => {
    const lines = isolated(`nft add table ip nat; ${sent}
      offer ${file("two.nft")}; guest try 60; guest keep; guest off; nft list tables; ls -d ${file("etc")} /run/k3smesh 2>/dev/null || echo none`);
    expect(lines).toEqual(["tried", "kept", "off", "table ip nat", "none"]);
    expect(fs.readdirSync(file("units"))).toEqual([]);
    expect(calls()).toContain("systemctl disable -q --now k3smesh.service");
  });
});

describe("packets", () => {
  const OPTIONS = {
    firewall: {
      adminNetworks: ["192.168.2.0/28"],
      nodePorts: ["192.168.2.128/25"],
      extra: { metrics: { ports: 9100, networks: ["192.168.2.64/28"] } },
    },
    k3s: { datastore: "etcd" },
  };
  /** Addresses on the network, by whom they belong to. */
  const SOURCES = {
    admin: "192.168.2.5",
    server: "192.168.2.19",
    agent: "192.168.2.21",
    client: "192.168.2.130",
    monitoring: "192.168.2.70",
    stranger: "192.168.2.100",
  };
  const PORTS = [22, 80, 443, 2379, 2380, 5001, 6443, 9100, 10250, 10255, 10256, 30000, 32767];
  const plan = firewallPlan({
    ...OPTIONS,
    pools: {
      master: { count: 3, vmIds: { from: 200 }, addresses: { from: "192.168.2.18" }, hostname: "m-{0}", nodes: null },
    },
  });

  /** Which ports of a server the list of ports opens for a source. */
  const expected = (source: keyof typeof SOURCES): number[] => {
    const groups: Record<string, readonly (keyof typeof SOURCES)[]> = {
      ...{ admins: ["admin"], servers: ["server"], nodes: ["server", "agent"], services: ["client"], pods: [] },
    };
    const open = doorsOf(plan).filter(({ from, to, protocol }) =>
      typeof from === "object"
        ? source === "monitoring"
        : groups[from]!.includes(source) && to !== "agents" && protocol === "tcp",
    );
    return PORTS.filter((port) => open.some(({ ports }) => ports.some((each) => within(port, each))));
  };
  const within = (port: number, range: string): boolean => {
    const [first = NaN, last = first] = range.split("-").map(Number);
    return first <= port && port <= last;
  };

  /** Python, because it can connect from a given address. */
  const PROBE = `
import json, socket, sys, threading
sources, ports, target = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
def connect(address, port, found):
    try:
        socket.create_connection((target, port), 1.5, (address, 0)).close()
        found.append(port)
    except OSError:
        pass
for name, address in sources.items():
    found = []
    threads = [threading.Thread(target=connect, args=(address, port, found)) for port in ports]
    for each in threads: each.start()
    for each in threads: each.join()
    print(name, *sorted(found))
`;
  const LISTEN = `
import socket, sys, json, time
held = []
for port in json.loads(sys.argv[1]):
    each = socket.socket(socket.AF_INET6); each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    each.bind(("::", port)); each.listen(50); held.append(each)
time.sleep(100)
`;

  test("every listed port is open for its sources, and every other port is closed, with IPv4 and IPv6", () => {
    fs.writeFileSync(file("matrix.nft"), `${nftables(plan)}\n`);
    fs.writeFileSync(file("probe.py"), PROBE);
    fs.writeFileSync(file("listen.py"), LISTEN);
    const addresses = Object.values(SOURCES)
      .map((address) => `ip addr add ${address}/24 dev p0;`)
      .join(" ");
    const probe = (target: string, sources: object): string =>
      `ip netns exec peer python3 ${file("probe.py")} '${JSON.stringify(sources)}' '${JSON.stringify(PORTS)}' ${target}`;
    const lines = isolated(`ip netns add peer
      ip link add eth0 type veth peer name p0; ip link set p0 netns peer
      echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad || :
      ip addr add 192.168.2.20/24 dev eth0; ip -6 addr add fd00::20/64 dev eth0 nodad; ip link set eth0 up; ip link set lo up
      ip netns exec peer sh -c '${addresses} ip -6 addr add fd00::5/64 dev p0 nodad; ip link set p0 up'
      python3 ${file("listen.py")} '${JSON.stringify(PORTS)}' & sleep 1
      ${probe("192.168.2.20", { before: SOURCES.stranger })}
      ${probe("fd00::20", { before6: "fd00::5" })}
      nft -f ${file("matrix.nft")}
      ${probe("192.168.2.20", SOURCES)}
      ip -6 neigh flush all; ${probe("fd00::20", { six: "fd00::5" })}
      kill %1 2>/dev/null || :`);
    expect(lines).toEqual([
      `before ${PORTS.join(" ")}`,
      `before6 ${PORTS.join(" ")}`,
      ...(Object.keys(SOURCES) as (keyof typeof SOURCES)[]).map((name) => [name, ...expected(name)].join(" ")),
      "six",
    ]);
    expect(expected("stranger")).toEqual([]);
    expect(expected("admin")).toEqual([22, 6443]);
    expect(expected("agent")).toEqual([80, 443, 6443, 10250, 30000, 32767]);
  }, 120_000);

  test("pods: services are matched by a packet's original port, pods reach the outside, and a forged pod address is dropped", () => {
    fs.writeFileSync(file("matrix.nft"), `${nftables(plan)}\n`);
    fs.writeFileSync(file("probe.py"), PROBE);
    fs.writeFileSync(file("listen.py"), LISTEN);
    const from = (netns: string, name: string, address: string, target: string, ports: readonly number[]): string =>
      `ip netns exec ${netns} python3 ${file("probe.py")} '${JSON.stringify({ [name]: address })}' '${JSON.stringify(ports)}' ${target}`;
    const lines = isolated(`ip netns add peer; ip netns add pod
      echo 1 >/proc/sys/net/ipv4/ip_forward
      ip link add eth0 type veth peer name p0; ip link set p0 netns peer
      ip link add cni0 type veth peer name p1; ip link set p1 netns pod
      ip addr add 192.168.2.20/24 dev eth0; ip link set eth0 up; ip addr add 10.42.0.1/24 dev cni0; ip link set cni0 up; ip link set lo up
      ip netns exec peer sh -c 'for each in ${SOURCES.client} ${SOURCES.agent} ${SOURCES.stranger}; do ip addr add "$each/24" dev p0; done; ip addr add 10.42.0.9/32 dev p0; ip link set p0 up; ip route add 10.42.0.0/24 via 192.168.2.20'
      ip netns exec pod sh -c 'ip addr add 10.42.0.5/24 dev p1; ip link set p1 up; ip route add default via 10.42.0.1'
      nft add table ip kubeproxy; nft 'add chain ip kubeproxy pre { type nat hook prerouting priority -100; }'
      nft 'add rule ip kubeproxy pre tcp dport { 30080, 20080 } dnat to 10.42.0.5:8080'
      python3 ${file("listen.py")} '[22, 6443, 10250]' & ip netns exec pod python3 ${file("listen.py")} '[8080]' &
      ip netns exec peer python3 ${file("listen.py")} '[53]' & sleep 1
      nft -f ${file("matrix.nft")}
      ${from("peer", "client", SOURCES.client, "192.168.2.20", [30080, 20080, 8080])}
      ${from("peer", "node", SOURCES.agent, "192.168.2.20", [30080, 20080, 8080])}
      ${from("peer", "stranger", SOURCES.stranger, "192.168.2.20", [30080, 20080])}
      ${from("peer", "routed", SOURCES.client, "10.42.0.5", [8080])}
      ${from("pod", "pod", "10.42.0.5", "192.168.2.20", [22, 6443, 10250])}
      ${from("pod", "out", "10.42.0.5", SOURCES.stranger, [53])}
      ip route add 10.42.0.9/32 dev eth0; for each in all eth0 cni0; do echo 0 >/proc/sys/net/ipv4/conf/$each/rp_filter; done
      ${from("peer", "spoofed", "10.42.0.9", "192.168.2.20", [22, 6443, 10250, 30080])}`);
    // A packet from a pod of another node has that node's address.
    expect(lines).toEqual(["client 30080", "node 30080", "stranger", "routed", "pod 6443 10250", "out 53", "spoofed"]);
  }, 120_000);
});
