import { BACKENDS } from "../firewall";
import { overlap, rangeOf } from "../network";
import type { Problem } from "../../config/problems";
import type { Draft, FirewallSettings } from "../../config/schema";

const PATH = "cluster.firewall";

/** Settings that would lock everybody out, or give pods the rights of people. */
export function checkFirewall(draft: Draft): Problem[] {
  const { firewall } = draft;
  if (!firewall) return [];
  return [
    ...checkPorts(firewall),
    ...(firewall.enabled ? [...checkAdmins(draft, firewall), ...checkBackend(draft)] : []),
  ];
}

function checkAdmins({ network }: Draft, { adminNetworks }: FirewallSettings): Problem[] {
  const path = `${PATH}.adminNetworks`;
  if (adminNetworks.length === 0)
    return [
      {
        path,
        problem: "must have at least one network, because the firewall is enabled",
        hint: "the network of the machine that runs pulumi up, which needs SSH to the nodes",
      },
    ];
  if (!network) return [];
  const { podCidr, serviceCidr } = network;
  return adminNetworks.flatMap((cidr, at) =>
    Object.entries({ podCidr, serviceCidr })
      .filter(([, other]) => overlap(rangeOf(cidr), rangeOf(other)))
      .map(([name, other]) => ({
        path: `${path}[${at}]`,
        problem: `must not overlap cluster.network.${name}: ${cidr} and ${other} share addresses`,
        hint: "pods would have the rights of administrators; name the networks of people",
      })),
  );
}

/** K3s options for a pod network whose ports and interfaces the program does not know. */
function checkBackend({ k3s }: Draft): Problem[] {
  if (!k3s) return [];
  const backend = k3s.serverConfig["flannel-backend"];
  const foreign = [
    ...(backend === undefined || BACKENDS.some((each) => each === backend) ? [] : ["flannel-backend"]),
    ...("flannel-conf" in k3s.serverConfig ? ["flannel-conf"] : []),
  ];
  return foreign.map((option) => ({
    path: `${PATH}.enabled`,
    problem: `cannot be true with the option ${option} in cluster.k3s.serverConfig: the ports and interfaces of that pod network are not known`,
    hint: `use ${BACKENDS.join(", ")}, or set enabled: false`,
  }));
}

function checkPorts({ extra }: FirewallSettings): Problem[] {
  return Object.entries(extra).flatMap(([name, { ports, networks }]) => {
    const [first = 0, last = first] = ports.split("-").map(Number);
    return [
      ...(first > last || last > 65535
        ? [
            {
              path: `${PATH}.extra.${name}.ports`,
              problem: `must be ports from 1 to 65535, the lower one first, not ${ports}`,
              hint: "for example 9100-9110",
            },
          ]
        : []),
      ...(networks.length === 0
        ? [
            {
              path: `${PATH}.extra.${name}.networks`,
              problem: "must have at least one network",
              hint: "for example [192.168.2.0/24]; or remove this entry",
            },
          ]
        : []),
    ];
  });
}
