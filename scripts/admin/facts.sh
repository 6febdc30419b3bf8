# Prints facts of the Proxmox host. Changes nothing. Each fact has a line "@@ NAME" before it.

fact() { printf '\n@@ %s\n' "$1"; }

node=$(hostname -s)
fact node
printf '%s\n' "$node"
fact version
dpkg-query -W -f '${Version}' pve-manager 2>/dev/null || :
fact architecture
dpkg --print-architecture
fact nodes
nodes=$(ask /nodes)
printf '%s\n' "$nodes"
# If Proxmox VE knows this host by another name, there are no facts of its own; `init` says so.
case $nodes in
  *"\"node\":\"$node\""*)
    fact networks
    ask "/nodes/$node/network"
    storages=$(ask "/nodes/$node/storage")
    fact storages
    printf '%s\n' "$storages"
    for store in $(printf '%s' "$storages" | grep -o '"storage":"[^"]*"' | cut -d'"' -f4); do
      for content in vztmpl import; do
        fact "content $store $content"
        # A storage that is offline has no content.
        pvesh get "/nodes/$node/storage/$store/content" --content "$content" --output-format json 2>/dev/null || :
      done
    done
    ;;
esac
fact route
ip -4 route show default 2>/dev/null || :
fact nameservers
sed -n 's/^nameserver  *//p' /etc/resolv.conf 2>/dev/null || :
fact guests
ask /cluster/resources --type vm
fact members
if [ -n "$CLUSTER" ]; then
  POOL=$CLUSTER
  for one in $(pools); do members "$one"; done
fi
# Addresses in use: of this host, of its neighbours, and of the guests by their configuration.
fact addresses
{
  ip -4 -o address show | awk '{ print $4 }' | cut -d/ -f1
  ip -4 neighbour show | awk '$NF != "FAILED" && $NF != "INCOMPLETE" { print $1 }'
  grep -rhoE --include='*.conf' '(ip|ip4)=[0-9.]+' /etc/pve/nodes 2>/dev/null | cut -d= -f2 || :
} | sort -u
fact hostkey
cat /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null || cat /etc/ssh/ssh_host_ecdsa_key.pub 2>/dev/null || :
fact ca
cat /etc/pve/pve-root-ca.pem 2>/dev/null || :
fact certificate
cat "/etc/pve/nodes/$node/pveproxy-ssl.pem" 2>/dev/null || cat "/etc/pve/nodes/$node/pve-ssl.pem" 2>/dev/null || :
fact gate
if [ ! -e "$GATE_FILE" ]; then
  echo none
elif grep -q '^# proxmox-k3s-gate: ' "$GATE_FILE"; then
  echo ours
else
  echo foreign
fi
# A gate may have its own limits (--node-key, --artifacts).
fact limits
grep -E '^shape (FROM|AUTHORIZED_KEYS) ' "$GATE_FILE" 2>/dev/null || :
fact end
