#!/bin/sh
# proxmox-k3s-gate: forced command for the key by which proxmox-k3s works on this Proxmox host. It lets through the
# scripts of one version of the program, by their SHA-256, and refuses everything else. Made by `npm run -s host-gate`;
# make it anew when the program changes its scripts (it then says so).
#
#   install -m 0755 /dev/stdin /usr/local/sbin/proxmox-k3s-gate
#   /root/.ssh/authorized_keys: restrict,command="/usr/local/sbin/proxmox-k3s-gate" ssh-ed25519 AAAA… proxmox-k3s
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  logger -t proxmox-k3s-gate "refused: $1" 2>/dev/null || :
  printf 'error: proxmox-k3s-gate: %s\n' "$1" >&2
  printf 'next:  npm run -s host-gate prints the gate for this version of the program; install it on the Proxmox host\n' >&2
  exit 1
}

work=$(mktemp -d /run/proxmox-k3s-gate.XXXXXXXX)
trap 'rm -rf "$work"' EXIT

# The command: comment lines, exports of quoted values, and the call. Nothing in it is evaluated before it has this form.
printf '%s' "${SSH_ORIGINAL_COMMAND:-}" >"$work/command"
perl -0777 -ne 'exit !/\A(?:#[^\n]*\n)*(?:export [A-Z][A-Z0-9_]*=\x27(?:[^\x27]|\x27\\\x27\x27)*\x27\n)+exec sh -s\z/' "$work/command" ||
  refuse "not a command of proxmox-k3s"

# The script: exports of quoted values (the cluster's id), then a text that is known.
cat >"$work/stdin"
perl -0777 -pe 's/\A(?:export [A-Z0-9_]+=\x27[^\x27]*\x27\n)*//' "$work/stdin" >"$work/script"
sum=$(sha256sum "$work/script" | cut -d' ' -f1)
grep -q "^$sum " <<'SUMS' || refuse "the script with the SHA-256 $sum is not one of this gate's"
@SUMS@
SUMS

# PATH and the like are not the caller's to set.
if grep -hE '^export (PATH|LD_[A-Z_]*|IFS|ENV|BASH_ENV|SHELLOPTS|WORK|LOG)=' "$work/command" "$work/stdin" >/dev/null; then
  refuse "a variable is exported that a script must not get"
fi
sh -c "$(cat "$work/command")" <"$work/stdin"
