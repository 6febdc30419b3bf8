# Runs inside a virtual machine, on stdin of `sh -s`: gives it a unique machine id. Prints "new machine id" if the machine must restart.
# A template that was not cleaned gives all its clones the same one. What is derived from it, for example the id in DHCP, would be
# the same too.
set -eu

# is_own: whether systemd made the id for this machine (machine-id(5)). In a first boot it is a mount on the file until the disk can
# be written, and stays in /run; in a virtual machine it is the machine's UUID, of which Proxmox VE gives each clone a new one. The
# age of the file says nothing: a clock is often set during the first boot, by hours.
is_own() {
  grep -q ' /etc/machine-id ' /proc/self/mountinfo && return
  cmp -s /run/machine-id /etc/machine-id && return
  uuid=$(tr -d - 2>/dev/null </sys/class/dmi/id/product_uuid | tr A-F a-f)
  [ "$uuid" = "$(cat /etc/machine-id)" ]
}

if [ ! -e /var/lib/proxmox-k3s ] && [ -e /etc/machine-id ] && ! is_own; then
  rm -f /var/lib/dbus/machine-id
  # Empty it, do not remove it: without the file the next boot is a first boot, in which systemd enables units by its presets.
  : >/etc/machine-id
  systemd-machine-id-setup
  if [ -d /var/lib/dbus ]; then ln -s /etc/machine-id /var/lib/dbus/machine-id; fi
  echo "new machine id"
fi
