# preflight, second part: the host itself.

installed() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || :; }
pve=$(installed pve-manager)
if [ -z "$pve" ]; then
  bad proxmox-version "Proxmox VE is not installed on this host" "set proxmox.host to the Proxmox host"
elif dpkg --compare-versions "$pve" lt 8.4; then
  bad proxmox-version "Proxmox VE $pve is too old; this program needs 8.4 or newer" "apt update && apt full-upgrade, or https://pve.proxmox.com/wiki/Upgrade_from_8_to_9"
elif dpkg --compare-versions "$pve" lt 9; then
  warn proxmox-version "Proxmox VE $pve; 9 is recommended" "https://pve.proxmox.com/wiki/Upgrade_from_8_to_9"
else
  ok proxmox-version "Proxmox VE $pve"
fi

if [ "$here" = "$PVE_NODE" ]; then
  ok proxmox-node "this is $PVE_NODE"
else
  bad proxmox-node "this host is $here, not $PVE_NODE" "set proxmox.node to $here, or proxmox.host to the address of $PVE_NODE"
fi

lxc=$(installed lxc-pve)
if [ -z "$lxc" ]; then
  bad lxc-pve "lxc-pve is not installed" "apt install lxc-pve"
elif dpkg --compare-versions "$lxc" lt 6.0.5-2; then
  warn lxc-pve "lxc-pve $lxc is too old to start pods under AppArmor; 6.0.5-2 or newer can" "apt update && apt full-upgrade"
else
  ok lxc-pve "lxc-pve $lxc"
fi

# Proxmox VE reports the version. If pvestatd has not reported it yet, look at the mount.
cgroup=$(listed nodes node cgroup-mode | awk -F '\t' -v node="$here" '$1 == node { print $2 }')
case $cgroup in
  '' | -) if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then cgroup=2; else cgroup=1; fi ;;
esac
if [ "$cgroup" = 2 ]; then
  ok cgroup "version 2"
else
  bad cgroup "the host runs cgroup version 1, which kubelet refuses from 1.35 on" "remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line, then reboot"
fi

# A module may be built into the kernel, so check for its files. The kernel itself loads `lazy` modules when they are used.
lazy='' absent=''
present() { # present MODULE FILE
  if [ -e "$2" ]; then return 0; fi
  if [ "$1" != br_netfilter ] && modprobe -n -q "$1" 2>/dev/null; then lazy="$lazy $1"; else absent="$absent $1"; fi
}
overlay=
if [ -n "$OVERLAYFS" ]; then
  overlay=overlay
  grep -qw overlay /proc/filesystems || present overlay /sys/module/overlay
fi
present br_netfilter /proc/sys/net/bridge/bridge-nf-call-iptables
present nf_conntrack /proc/sys/net/netfilter/nf_conntrack_max
for module in $MODULES; do
  # nf_tables has no such file if it is built into the kernel.
  if [ "$module" = nf_tables ] && nft list tables >/dev/null 2>&1; then continue; fi
  present "$module" "/sys/module/$module"
done
iptables -w 2 -S >/dev/null 2>&1 || absent="$absent ip_tables/nf_tables"
needed="${overlay:+$overlay }br_netfilter nf_conntrack${MODULES:+ $MODULES}"
modules="printf '%s\\n' $needed nf_tables >/etc/modules-load.d/proxmox-k3s.conf && systemctl restart systemd-modules-load"
if [ -n "$absent" ]; then
  bad kernel-modules "not loaded, and a container cannot load them:$absent" "$modules"
elif [ -n "$lazy" ]; then
  warn kernel-modules "not loaded yet:$lazy" "$modules"
else
  ok kernel-modules "$(echo "$needed" | sed 's/ /, /g') and a packet filter"
fi

# Containers start with the host's forwarding setting. Root of the host and of all privileged containers share inotify instances.
low=
for setting in net.ipv4.ip_forward=1 fs.inotify.max_user_instances=1024; do
  value=$(sysctl -n "${setting%=*}" 2>/dev/null || echo 0)
  if [ "$value" -lt "${setting#*=}" ]; then low="$low $setting"; fi
done
if [ -n "$low" ]; then
  warn sysctls "lower than required:$low" "printf '%s\\n'$low >/etc/sysctl.d/90-proxmox-k3s.conf && sysctl --system"
else
  ok sysctls "forwarding is on, and there are enough inotify instances"
fi
