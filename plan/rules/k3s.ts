import { K3S_OPTIONS, OWNED_KEYS, SECRET_KEYS } from "../../config/k3sOptions";
import { ownCommand } from "../../config/ownCommand";
import type { Problem } from "../../config/problems";
import type { Draft, K3sSettings } from "../../config/schema";
import { credentialIn } from "../../config/secretForms";
import { isModernKey } from "../../config/sshKeys";
import { closest } from "../../config/suggest";
import type { Pins } from "../pins";
import type { K3sConfigValue, NodeRole } from "../model";
import { binaryName, resolveSums } from "../sums";
import { versionProblem } from "../versions";
import { nodeCount, serverCount } from "./pools";

/** The release, its sums, the options of K3s and the keys for SSH to the nodes. */
export function checkK3s(draft: Draft, pins: Pins): Problem[] {
  return [
    ...checkVersion(draft),
    ...checkSums(draft, pins),
    ...checkDatastore(draft),
    ...checkExtraConfig(draft.k3s),
    ...checkOwnValues(draft),
    ...checkAuthorizedKeys(draft),
  ];
}

function checkVersion({ version }: Draft): Problem[] {
  const problem = version === undefined ? undefined : versionProblem(version);
  return problem === undefined ? [] : [{ path: "cluster.version", problem, hint: "for example v1.36.3+k3s1" }];
}

function checkSums({ version, proxmox, k3s }: Draft, pins: Pins): Problem[] {
  if (version === undefined || !proxmox || !k3s) return [];
  const { artifacts } = k3s;
  const path = "cluster.k3s.artifacts";
  const arch = proxmox.architecture;
  const files = [
    { key: "sha256", name: "the K3s binary", ...resolveSums("k3s", arch, artifacts.sha256, pins[version]) },
    ...(artifacts.airgapImages
      ? [
          {
            key: "imagesSha256",
            name: "the image archive",
            ...resolveSums("images", arch, artifacts.imagesSha256, pins[version]),
          },
        ]
      : []),
  ].filter(({ origin }) => origin === "release");
  const problems: Problem[] = [];
  if (artifacts.file !== undefined && !artifacts.file.endsWith(`/${binaryName(arch)}`)) {
    problems.push({
      path: `${path}.file`,
      problem: `must be a file with the name ${binaryName(arch)}, not ${artifacts.file}`,
      hint: `the file's name in a K3s release for ${arch}, which is cluster.proxmox.architecture`,
    });
  }
  const isPlainHttp = artifacts.file === undefined && artifacts.baseUrl.startsWith("http:");
  for (const { key, name } of files) {
    if (artifacts.requirePinned) {
      problems.push({
        path: `${path}.${key}`,
        problem: `has no sum for ${name} of ${version} on ${arch}, and requirePinned is set`,
        hint: `\`${ownCommand(`pin ${version}`)}\` records the release's published sums; or set ${key}.${arch}`,
      });
    } else if (artifacts.file !== undefined) {
      problems.push({
        path: `${path}.${key}`,
        problem: `has no sum for ${name} of ${version} on ${arch}, and a local file comes without a list of sums`,
        hint: `set ${key}.${arch} to what sha256sum prints`,
      });
    } else if (isPlainHttp) {
      problems.push({
        path: `${path}.baseUrl`,
        problem: `must be https, or ${name} of ${version} on ${arch} needs a known sum: over http, anybody on the network path could replace it`,
        hint: `\`${ownCommand(`pin ${version}`)}\` records the release's published sums; or set ${key}.${arch}`,
      });
    }
  }
  return problems;
}

/** Several servers need etcd. With SQLite, each of them would be a separate cluster. */
function checkDatastore({ k3s, pools }: Draft): Problem[] {
  const servers = serverCount(pools);
  if (k3s?.datastore !== "sqlite" || servers < 2) return [];
  const problem = `must be etcd for ${servers} servers, not sqlite`;
  return [{ path: "cluster.k3s.datastore", problem, hint: "remove it: the number of servers decides" }];
}

function checkExtraConfig(k3s: K3sSettings | undefined): Problem[] {
  if (!k3s) return [];
  return (["serverConfig", "agentConfig"] as const).flatMap((section) =>
    Object.entries(k3s[section]).flatMap(([key, value]) => {
      const found = optionProblem(section === "serverConfig" ? "server" : "agent", key) ?? valueProblem(value);
      return found ? [{ path: `cluster.k3s.${section}.${key}`, ...found }] : [];
    }),
  );
}

/** Options whose value must differ from node to node. */
const OWN_VALUES = ["advertise-address", "bind-address", "node-external-dns", "node-external-ip", "node-internal-dns"];

/** The same in the arguments that K3s passes on to a component. */
const OWN_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  "kubelet-arg": ["node-ip", "hostname-override", "provider-id"],
  "kube-proxy-arg": ["hostname-override"],
  "kube-apiserver-arg": ["advertise-address"],
};

/** The options with a value for one node; `argument` is the one that K3s passes on, if it is not the option itself. */
function ownValues(config: Readonly<Record<string, K3sConfigValue>>): { key: string; argument?: string }[] {
  const names = (key: string): string[] =>
    [config[key] ?? []].flat().map((argument) => String(argument).replace(/^-+/, "").split("=")[0]!);
  const passedOn = Object.entries(OWN_ARGUMENTS).flatMap(([key, own]) =>
    names(key)
      .filter((argument) => own.includes(argument))
      .map((argument) => ({ key, argument })),
  );
  return [...OWN_VALUES.filter((key) => key in config).map((key) => ({ key })), ...passedOn];
}

/** All nodes of a role get the same `serverConfig` or `agentConfig`. */
function checkOwnValues({ k3s, pools }: Draft): Problem[] {
  if (!k3s) return [];
  return (["server", "agent"] as const).flatMap((role) => {
    const nodes = nodeCount(pools, role);
    if (nodes < 2) return [];
    return ownValues(k3s[`${role}Config`]).map(({ key, argument }) => ({
      path: `cluster.k3s.${role}Config.${key}`,
      problem: `${argument === undefined ? "is" : `has ${argument},`} a value for one node, but all ${nodes} ${role}s would get it`,
      hint: "remove it: the program gives each node its own",
    }));
  });
}

/** Why an option of K3s may not be set, whatever its value. */
function optionProblem(role: NodeRole, key: string): Omit<Problem, "path"> | undefined {
  const name = Object.hasOwn(K3S_OPTIONS.short, key) ? K3S_OPTIONS.short[key] : undefined;
  if (name !== undefined) {
    const full = optionProblem(role, name);
    const which = full === undefined ? "" : `, which ${full.problem}`;
    return { ...(full ?? { hint: `write ${name}` }), problem: `is K3s' short name for ${name}${which}` };
  }
  if (Object.hasOwn(OWNED_KEYS, key)) {
    const place = OWNED_KEYS[key];
    return {
      problem: "is written by the program itself",
      ...(place === undefined ? {} : { hint: `set ${place} instead` }),
    };
  }
  const secret = Object.hasOwn(SECRET_KEYS, key) ? SECRET_KEYS[key] : undefined;
  if (secret !== undefined) return { problem: "would put a secret into the config in plain text", hint: secret };
  if (K3S_OPTIONS[role].includes(key)) return undefined;
  const other = role === "server" ? "agent" : "server";
  if (K3S_OPTIONS[other].includes(key)) {
    return {
      problem: `is an option for ${other}s only, not for ${role}s`,
      hint: `move it to cluster.k3s.${other}Config`,
    };
  }
  const near = closest(key, K3S_OPTIONS[role]);
  return {
    problem: `is not an option of a K3s ${role}`,
    hint: near === undefined ? `\`k3s ${role} --help\` lists them` : `did you mean ${near}?`,
  };
}
/** Finds a credential in the value of an option that should have none, for example in the URL of `etcd-s3-proxy`. */
function valueProblem(value: K3sConfigValue): Omit<Problem, "path"> | undefined {
  const what = [value]
    .flat()
    .map(String)
    .flatMap((text) => credentialIn(text) ?? [])[0];
  if (what === undefined) return undefined;
  return {
    problem: `holds ${what} in plain text`,
    hint: "put it into a file on the node or into a Kubernetes Secret, and set the name of that",
  };
}

function checkAuthorizedKeys({ ssh }: Draft): Problem[] {
  if (!ssh || ssh.authorizedKeys.some(isModernKey)) return [];
  return [
    {
      path: "cluster.ssh.authorizedKeys",
      problem: "must have at least one ed25519 or ECDSA key",
      hint: "the program logs in to the nodes with it; `ssh-keygen -t ed25519` makes one",
    },
  ];
}
