import * as fs from "node:fs";
import * as path from "node:path";
import { labPaths, type RunningLab } from "../lab";
import { enterHost } from "./guests";

/**
 * Writes a `kubectl` into the lab's `bin`: that of K3s, with the first server's kubeconfig and address.
 *
 * It reads the kubeconfig on each call, because a cluster that was destroyed and created again has other certificates. A
 * K3s release unpacks itself when it runs: K3S_DATA_DIR keeps that in the lab's state.
 */
export function writeKubectl(lab: RunningLab): void {
  const paths = labPaths(lab.name);
  const k3s = path.join(lab.k3s.dir, lab.k3s.version, "k3s");
  const script = `#!/bin/sh
set -eu
take() { # take ADDRESS: the kubeconfig on stdin is that of the server there
  fresh=$(mktemp ${quote(`${paths.kubeconfig}.XXXXXX`)})
  sed "s|https://127.0.0.1:|https://$1:|" >"$fresh"
  mv "$fresh" ${quote(paths.kubeconfig)}
}
found=
for file in ${quote(paths.lxc)}/*/rootfs/etc/rancher/k3s/k3s.yaml; do
  if [ ! -f "$file" ]; then continue; fi
  guest=\${file%/rootfs/etc/rancher/k3s/k3s.yaml}
  take "$(sed -n 's|^lxc.net.0.ipv4.address = \\([0-9.]*\\).*|\\1|p' "$guest/config")" <"$file"
  found=yes
  break
done
# Virtual machines only if no container is a server: the guest agent is slow.
for conf in ${quote(paths.etcPve)}/nodes/pve/qemu-server/*.conf; do
  if [ -n "$found" ] || [ ! -f "$conf" ]; then break; fi
  answer=$(${enterHost(lab.init).map(quote).join(" ")} qm guest exec "$(basename "$conf" .conf)" -- cat /etc/rancher/k3s/k3s.yaml 2>/dev/null) || continue
  text=$(printf '%s' "$answer" | ${quote(lab.node)} -p 'JSON.parse(require("fs").readFileSync(0, "utf8"))["out-data"] || ""')
  if [ -z "$text" ]; then continue; fi
  printf '%s\\n' "$text" | take "$(sed -n 's|^ipconfig0:.*ip=\\([0-9.]*\\)/.*|\\1|p' "$conf")"
  found=yes
done
export KUBECONFIG="\${KUBECONFIG:-${paths.kubeconfig}}" K3S_DATA_DIR=${quote(paths.k3sData)}
exec ${quote(k3s)} kubectl "$@"
`;
  fs.writeFileSync(path.join(paths.bin, "kubectl"), script, { mode: 0o755 });
}

/** Quotes a word for a shell's command line. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
