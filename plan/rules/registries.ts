import type { Problem } from "../../config/problems";
import type { Draft, K3sSettings } from "../../config/schema";

const PATH = "cluster.k3s.registries";

/** Settings that K3s accepts, but then does something else than the config says. */
export function checkRegistries({ k3s }: Draft): Problem[] {
  if (!k3s) return [];
  return [
    ...checkMirrors(k3s),
    ...checkTls(k3s),
    ...(isUsed(k3s) ? [...checkOtherFile(k3s), ...checkRuntime(k3s)] : []),
    ...checkEmbedded(k3s),
  ];
}

const isUsed = ({ registries: { mirrors, configs } }: K3sSettings): boolean =>
  Object.keys(mirrors).length + Object.keys(configs).length > 0;

const SECTIONS = ["serverConfig", "agentConfig"] as const;

function checkMirrors({ registries: { mirrors } }: K3sSettings): Problem[] {
  return Object.entries(mirrors)
    .filter(([, { endpoints, rewrites }]) => endpoints.length === 0 && Object.keys(rewrites).length > 0)
    .map(([registry]) => ({
      path: `${PATH}.mirrors.${registry}.rewrites`,
      problem: "needs endpoints: K3s rewrites names at endpoints alone",
      hint: `add endpoints: [https://registry.lan:5000] to ${registry}, or remove rewrites`,
    }));
}

function checkTls({ registries: { configs } }: K3sSettings): Problem[] {
  return Object.entries(configs)
    .filter(([, { tls }]) => tls.caFile !== undefined && tls.insecureSkipVerify)
    .map(([registry]) => ({
      path: `${PATH}.configs.${registry}.tls.insecureSkipVerify`,
      problem: "cannot be true with caFile: nothing would be checked against that CA",
      hint: "remove one of the two",
    }));
}

/** K3s reads only one such file. */
function checkOtherFile(k3s: K3sSettings): Problem[] {
  return SECTIONS.filter((section) => "private-registry" in k3s[section]).map((section) => ({
    path: `cluster.k3s.${section}.private-registry`,
    problem: `names another file than the one of ${PATH}, and K3s reads only one`,
    hint: `remove it, or remove ${PATH}`,
  }));
}

/** Options of K3s that use another container runtime than K3s' own containerd. */
const RUNTIMES = ["container-runtime-endpoint", "docker"];

function checkRuntime(k3s: K3sSettings): Problem[] {
  return SECTIONS.flatMap((section) =>
    RUNTIMES.filter((option) => option in k3s[section]).map((option) => ({
      path: `cluster.k3s.${section}.${option}`,
      problem: `brings a container runtime of your own, which does not read what ${PATH} says`,
      hint: `configure the registries in that runtime and remove ${PATH}, or remove this option`,
    })),
  );
}

function checkEmbedded({ embeddedRegistry, registries }: K3sSettings): Problem[] {
  if (!embeddedRegistry || Object.keys(registries.mirrors).length > 0) return [];
  return [
    {
      path: "cluster.k3s.embeddedRegistry",
      problem: `needs a registry in ${PATH}.mirrors: the nodes share the images of those alone`,
      hint: 'for example registries: { mirrors: { "*": {} } }, which is all of them',
    },
  ];
}
