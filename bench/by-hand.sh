# shellcheck shell=sh
# The same work as the program's first `up` of the lab's stack, but by hand, for `npm run bench`: three containers are created and
# set up at once, and K3s starts everywhere at once, because an agent waits for its server by itself. It has no plan, no mark, no
# check, no second run and no way back.
# Runs on the Proxmox host, on stdin of `sh -s`. Arguments: NETWORK (first three numbers), VERSION, KEY (a public key that may log
# in to the nodes).
set -eu
network=$1 version=$2 key=$3
token=$(tr -dc a-f0-9 </dev/urandom | head -c 48)
release=http://$network.1:8080/k3s/$(printf '%s' "$version" | sed 's/+/%2B/')

node() { # VMID NAME ADDRESS ROLE CORES MEMORY DISK
  pct create "$1" local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst --ostype ubuntu --unprivileged 0 --hostname "$2" \
    --cores "$5" --memory "$6" --swap 0 --rootfs "local-lvm:$7" --onboot 1 --features nesting=1,keyctl=1,fuse=1 \
    --nameserver "$network.1" --net0 "name=eth0,bridge=vmbr0,ip=$3/24,gw=$network.1"
  cat >>"/etc/pve/lxc/$1.conf" <<'RAW'
lxc.mount.entry: /dev/kmsg dev/kmsg none bind,rw,optional,create=file
lxc.apparmor.profile: unconfined
lxc.cap.drop:
lxc.cgroup2.devices.allow: a
lxc.mount.auto: proc:rw sys:rw
RAW
  pct start "$1"
  until pct exec "$1" -- test -S /run/systemd/private; do sleep 0.1; done
  pct exec "$1" -- sh -es "$2" "$3" "$4" "$network" "$release" "$token" "$key" <<'SETUP'
name=$1 address=$2 role=$3 network=$4 release=$5 token=$6 key=$7
mkdir -p -m 0700 /root/.ssh /etc/rancher/k3s /var/lib/rancher/k3s/agent/images
echo "$key" >>/root/.ssh/authorized_keys
curl -fsS "$release/k3s" -o /usr/local/bin/k3s "$release/k3s-airgap-images-amd64.tar" -o /var/lib/rancher/k3s/agent/images/images.tar
chmod +x /usr/local/bin/k3s
printf '%s\n' "node-name: $name" "node-ip: $address" "token: $token" >/etc/rancher/k3s/config.yaml
case $role in
  server) printf '%s\n' "disable: [coredns, servicelb, traefik, local-storage, metrics-server]" ;;
  agent) printf '%s\n' "server: https://$network.20:6443" ;;
esac >>/etc/rancher/k3s/config.yaml
cat >/etc/systemd/system/k3s.service <<UNIT
[Service]
Type=notify
KillMode=process
Delegate=yes
ExecStartPre=-/bin/mount --make-rshared /
ExecStart=/usr/local/bin/k3s $role
TimeoutStartSec=0
Restart=always
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable -q --now --no-block k3s
SETUP
}

node 100 k3s-master "$network.20" server 2 4096 32 & jobs=$!
node 102 k3s-worker-01 "$network.21" agent 4 8192 50 & jobs="$jobs $!"
node 103 k3s-worker-02 "$network.22" agent 4 8192 50 & jobs="$jobs $!"
for job in $jobs; do wait "$job"; done

kubectl() { pct exec 100 -- /usr/local/bin/k3s kubectl "$@"; }
until kubectl get --raw=/readyz >/dev/null 2>&1; do sleep 0.1; done
for name in k3s-master k3s-worker-01 k3s-worker-02; do
  kubectl wait --for=create "node/$name" --timeout=120s
  kubectl wait --for=condition=Ready "node/$name" --timeout=120s
done
pct exec 100 -- cat /etc/rancher/k3s/k3s.yaml
