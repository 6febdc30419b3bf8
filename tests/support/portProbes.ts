import { type Door, doorsOf, DOORS } from "../../plan/firewall";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { contains, rangeOf } from "../../plan/network";

/** A machine or a pod that sends packets to nodes. */
export interface Sender {
  readonly name: string;
  /** Its source address, as the nodes see it. */
  readonly address: string;
  /** Whether it is a pod of the node to which it sends. */
  readonly isPod?: boolean;
}

type Protocol = Door["protocol"];

/** Ports outside every {@link Door}: other ports of K3s' components, and ports that an attacker would try. */
const OTHERS = [1, 53, 111, 6444, 8080, 9345, 10249, 10256, 10257, 10259, 65535];

/** The ports to try: both ends of each door, open or not, the ports next to them, and some others. */
export function portsToTry(protocol: "tcp" | "udp", plan: ClusterPlan): number[] {
  const ranges = [...DOORS, ...doorsOf(plan)]
    .filter((door) => door.protocol === protocol)
    .flatMap(({ ports }) => ports);
  const edges = ranges.map(endsOf).flatMap(([first, last]) => [first - 1, first, last, last + 1]);
  return [...new Set([...edges, ...OTHERS])].sort((a, b) => a - b);
}

/** What a sender can reach on a node over IPv4, by the list of doors. The list opens nothing over IPv6. */
export function reaches(sender: Sender, node: NodePlan, plan: ClusterPlan): string[] {
  const isOpen = (protocol: Protocol, port?: number): boolean =>
    doorsOf(plan).some(
      (door) =>
        door.protocol === protocol &&
        (door.to === "nodes" || door.to === `${node.role}s`) &&
        comesFrom(sender, door.from, plan) &&
        (port === undefined || door.ports.map(endsOf).some(([first, last]) => first <= port && port <= last)),
    );
  return [
    ...(["tcp", "udp"] as const).flatMap((protocol) =>
      portsToTry(protocol, plan).flatMap((port) => (isOpen(protocol, port) ? [`${protocol} ${port}`] : [])),
    ),
    ...(isOpen("icmp") ? ["ping"] : []),
  ];
}

function comesFrom({ address, isPod }: Sender, from: Door["from"], plan: ClusterPlan): boolean {
  const isIn = (networks: readonly string[]): boolean => networks.some((each) => contains(rangeOf(each), address));
  const isOf = (nodes: readonly NodePlan[]): boolean => nodes.some((node) => node.address === address);
  if (typeof from === "object") return isIn(from.networks);
  switch (from) {
    case "pods":
      return isPod === true;
    case "admins":
      return isIn(plan.firewall?.adminNetworks ?? []);
    case "services":
      return isIn(plan.firewall?.nodePortNetworks ?? []);
    case "servers":
      return isOf(plan.servers);
    case "nodes":
      return isOf(plan.nodes);
  }
}

function endsOf(range: string): [first: number, last: number] {
  const [first = NaN, last = first] = range.split("-").map(Number);
  return [first, last];
}

/**
 * Nobody has to listen on a port: a refusal shows that the packet arrived, and a packet that the filter drops gets no answer.
 * Perl, because every Debian has it.
 */
const PROBE = `
use strict; use warnings; use Errno;
use Socket qw(:DEFAULT SOCK_NONBLOCK inet_pton pack_sockaddr_in6);
my @probes;
while (my $line = <DATA>) {
  my ($protocol, $from, $to, $port) = split " ", $line;
  my $six = $to =~ /:/;
  my $at = sub {
    my ($host, $number) = @_;
    $six ? pack_sockaddr_in6($number, inet_pton(AF_INET6, $host)) : pack_sockaddr_in($number, inet_pton(AF_INET, $host));
  };
  my $tcp = $protocol eq "tcp";
  socket(my $socket, $six ? AF_INET6 : AF_INET, ($tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0) or die "socket: $!";
  if ($from ne "any") { bind($socket, $at->($from, 0)) or die "bind $from: $!" }
  connect($socket, $at->($to, $port)) unless $tcp;
  push @probes, { line => "$to $protocol $port\\n", socket => $socket, to => $at->($to, $port), tcp => $tcp };
}
sub arrived {
  my ($probe) = @_;
  if ($probe->{tcp}) { return connect($probe->{socket}, $probe->{to}) || $!{EISCONN} || $!{ECONNREFUSED} }
  return 1 if !defined(send($probe->{socket}, "x", 0)) && $!{ECONNREFUSED};
  return defined(recv($probe->{socket}, my $answer, 99, 0)) || $!{ECONNREFUSED};
}
for (1 .. 15) {
  my @left;
  for my $probe (@probes) { if (arrived($probe)) { print $probe->{line} } else { push @left, $probe } }
  @probes = @left or last;
  select(undef, undef, undef, 0.2);
}
`;

/**
 * A shell script that tries ports and pings. It prints `ADDRESS tcp 22` and `ADDRESS ping` for what has arrived.
 * @param as prefix of each command that sends
 * @param from the source address; by default the system chooses it
 */
export function probing(
  addresses: readonly string[],
  plan: ClusterPlan,
  { as = "", from }: { readonly as?: string; readonly from?: string } = {},
): string {
  const lines = addresses.flatMap((to) =>
    (["tcp", "udp"] as const).flatMap((protocol) =>
      portsToTry(protocol, plan).map((port) => `${protocol} ${from ?? "any"} ${to} ${port}`),
    ),
  );
  return `${as} perl - <<'END'
${PROBE}__DATA__
${lines.join("\n")}
END
for address in ${addresses.join(" ")}; do
  { if ${as} ping -q -c 1 -W 2 ${from === undefined ? "" : `-I ${from} `}$address >/dev/null 2>&1; then echo "$address ping"; fi; } &
done
wait
`;
}

/** What a script of {@link probing} has reached, by address, in the order of {@link reaches}. */
export function reached(said: string, addresses: readonly string[], plan: ClusterPlan): Record<string, string[]> {
  const all = [
    ...(["tcp", "udp"] as const).flatMap((of) => portsToTry(of, plan).map((port) => `${of} ${port}`)),
    "ping",
  ];
  const lines = new Set(said.split("\n"));
  return Object.fromEntries(addresses.map((to) => [to, all.filter((each) => lines.has(`${to} ${each}`))]));
}
