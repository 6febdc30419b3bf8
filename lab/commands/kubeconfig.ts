import * as fs from "node:fs";
import * as path from "node:path";
import { Lab, labPaths } from "../lab";

/**
 * Puts a `kubectl` into the lab's `bin`: K3s' own, with the first server's kubeconfig at its address.
 *
 * It reads the kubeconfig anew each time, because a cluster that was destroyed and made again has other certificates. The
 * data folder keeps a K3s release from unpacking itself on the machine.
 */
export function writeKubectl(lab: Lab): void {
  const paths = labPaths(lab.name);
  const k3s = path.join(lab.k3s.dir, lab.k3s.version, "k3s");
  const script = `#!/bin/sh
set -eu
for file in ${quote(paths.lxc)}/*/rootfs/etc/rancher/k3s/k3s.yaml; do
  if [ ! -f "$file" ]; then continue; fi
  guest=\${file%/rootfs/etc/rancher/k3s/k3s.yaml}
  address=$(sed -n 's|^lxc.net.0.ipv4.address = \\([0-9.]*\\).*|\\1|p' "$guest/config")
  fresh=$(mktemp ${quote(`${paths.kubeconfig}.XXXXXX`)})
  sed "s|https://127.0.0.1:|https://$address:|" "$file" >"$fresh"
  mv "$fresh" ${quote(paths.kubeconfig)}
  break
done
export KUBECONFIG="\${KUBECONFIG:-${paths.kubeconfig}}" K3S_DATA_DIR=${quote(paths.k3sData)}
exec ${quote(k3s)} kubectl "$@"
`;
  fs.writeFileSync(path.join(paths.bin, "kubectl"), script, { mode: 0o755 });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
