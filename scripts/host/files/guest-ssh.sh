# Runs inside the guest: allows SSH only by key. Its files are in /run/proxmox-k3s.
set -eu
umask 077
from=/run/proxmox-k3s
changed=no

put() { # put MODE FILE TARGET
  if cmp -s "$from/$2" "$3"; then return 0; fi
  mkdir -p "$(dirname "$3")"
  install -m "$1" "$from/$2" "$3"
  changed=yes
}

command -v sshd >/dev/null || { echo "error: the template has no OpenSSH server"; exit 1; }

# Our keys are between two marker lines. Other keys in the file do not change.
keys=/root/.ssh/authorized_keys
mkdir -p /root/.ssh
touch "$keys"
{
  sed '/^# BEGIN proxmox-k3s$/,/^# END proxmox-k3s$/d' "$keys"
  echo '# BEGIN proxmox-k3s'
  cat "$from/authorized_keys"
  echo '# END proxmox-k3s'
} >"$from/keys.new"
cmp -s "$from/keys.new" "$keys" || install -m 0600 "$from/keys.new" "$keys"

# Proxmox VE gives cloud-init a new instance id when the machine's address or DNS changes, and cloud-init would then make new host
# keys.
if command -v cloud-init >/dev/null; then
  mkdir -p /etc/cloud/cloud.cfg.d
  (umask 022 && echo 'ssh_deletekeys: false' >/etc/cloud/cloud.cfg.d/99-proxmox-k3s.cfg)
fi

# NixOS gets these settings from its module (plan/render/nixosModule.ts).
if [ ! -e /etc/NIXOS ]; then
  put 0644 sshd.conf /etc/ssh/sshd_config.d/10-proxmox-k3s.conf
  put 0644 sshd-tmpfiles.conf /etc/tmpfiles.d/proxmox-k3s-sshd.conf
else
  # cloud-init on NixOS makes new host keys after sshd has started, so restart sshd.
  changed=yes
fi
install -d -m 0755 /run/sshd # systemd may create it at the same moment
[ -s /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
sshd -t

unit=ssh
systemctl cat ssh.service >/dev/null 2>&1 || unit=sshd
systemctl is-enabled -q "$unit" 2>/dev/null || systemctl enable -q "$unit"
if [ "$changed" = yes ]; then systemctl restart "$unit"; else systemctl start "$unit"; fi
rm -rf "$from"

# Machines that talked to an earlier machine with this address would use its MAC address for about 9 s. An ARP request for the
# gateway is a broadcast and corrects their neighbour tables; a packet to the discard port (RFC 863) causes it.
gateway=$(ip -4 route show default | sed -n 's/^default via \([^ ]*\).*/\1/p' | head -n 1)
if [ -n "$gateway" ]; then bash -c 'echo >"/dev/udp/$1/9"' bash "$gateway" 2>/dev/null || :; fi
