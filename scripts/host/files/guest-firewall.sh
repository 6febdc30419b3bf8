# Runs inside the guest: the node's packet filter, a separate table. All other tables are K3s' and are not touched.
# Arguments: try SECONDS | give | keep | back | off. The rules to try or give are /run/k3smesh/rules.nft.
# `try` applies them for SECONDS at most; then `back` restores the former ones, unless `keep` came before. Rules on trial are not on
# the disk, so that a reboot also restores the former ones. The last line is one word: tried, given, kept, unchanged, former or off.
set -eu
umask 022
DIR=/etc/k3smesh
RULES=$DIR/rules.nft
OFFERED=/run/k3smesh/rules.nft
TRIAL=/run/k3smesh/trial.nft
UNIT=k3smesh.service
# NixOS has its commands in this folder. A unit needs it in PATH too.
PATH=$PATH:/run/current-system/sw/bin
mkdir -p "$DIR" /run/k3smesh
# Whoever can open the lock can hold it, and so block the way back.
chmod 0700 /run/k3smesh
exec 9>/run/k3smesh/lock
flock -w 30 9

said=no
fail() {
  said=yes
  printf 'error: %s\nnext: %s\n' "$1" "$2"
  exit 1
}
# If a command fails without an error of this script, report that, so that the host does not think that the guest is silent.
trap 'test $? -eq 0 || test $said = yes || fail "the last command above failed" "fix its cause, then pulumi up"' EXIT
is_loaded() { nft list table inet k3smesh >/dev/null 2>&1; }
end_trial() { systemctl stop k3smesh-back.timer 2>/dev/null || :; }

# The units of NixOS come from its module, this one too (plan/render/nixosModule.ts).
has_own_units() { [ -w /etc/systemd/system ]; }

back() {
  rm -f "$TRIAL"
  if [ -s "$RULES" ]; then nft -f "$RULES"; elif is_loaded; then nft delete table inet k3smesh; fi
}

check() {
  command -v nft >/dev/null || fail "nft is not installed" "apt-get install -y nftables there, or environment.systemPackages = [ pkgs.nftables ] in NixOS"
  if nft -c -f "$OFFERED" >/run/k3smesh/refused 2>&1; then return 0; fi
  nft list ruleset >/dev/null 2>&1 || fail "the kernel has no nf_tables" "modprobe nf_tables on the Proxmox host, and add it to /etc/modules-load.d"
  cat /run/k3smesh/refused
  fail "nft refuses the rules" "fix cluster.firewall in the config, or report the lines above"
}

install_rules() { # install_rules FILE: they are loaded at boot, before the network
  install -m 0644 "$1" "$RULES.new"
  mv -f "$RULES.new" "$RULES"
  has_own_units || return 0
  if [ -e "/run/k3smesh/$UNIT" ] && ! cmp -s "/run/k3smesh/$UNIT" "/etc/systemd/system/$UNIT"; then
    install -D -m 0644 "/run/k3smesh/$UNIT" "/etc/systemd/system/$UNIT"
    systemctl daemon-reload
  fi
  systemctl is-enabled -q "$UNIT" 2>/dev/null || systemctl enable -q "$UNIT"
}

case $1 in
  try)
    check
    if [ ! -e "$TRIAL" ] && cmp -s "$OFFERED" "$RULES" && is_loaded; then
      echo unchanged
      exit 0
    fi
    end_trial
    install -m 0755 /run/k3smesh/guest-firewall.sh "$DIR/guest-firewall.sh"
    systemd-run -q --collect --unit=k3smesh-back --on-active="$2" --timer-property=AccuracySec=1s /bin/sh "$DIR/guest-firewall.sh" back
    cp "$OFFERED" "$TRIAL"
    if ! nft -f "$TRIAL"; then
      end_trial
      back
      fail "nft did not load the rules" "fix the cause in the lines above, then pulumi up"
    fi
    echo tried
    ;;
  give)
    check
    if [ -e "$TRIAL" ]; then cp "$OFFERED" "$TRIAL"; else install_rules "$OFFERED"; fi
    nft -f "$OFFERED"
    echo given
    ;;
  keep)
    # Only the rules that the host asks to keep: it may have given others in the meantime.
    if [ -e "$TRIAL" ] && cmp -s "$OFFERED" "$TRIAL"; then
      install_rules "$TRIAL"
      end_trial
      rm -f "$TRIAL"
      echo kept
    elif [ ! -e "$TRIAL" ] && cmp -s "$OFFERED" "$RULES" && is_loaded; then
      echo unchanged
    else
      echo former
    fi
    ;;
  back)
    back
    echo former
    ;;
  off)
    end_trial
    # After a boot the unit is active, and would stay active without its file.
    if has_own_units; then
      systemctl disable -q --now "$UNIT" 2>/dev/null || :
      rm -f "/etc/systemd/system/$UNIT"
      systemctl daemon-reload
    fi
    if is_loaded; then nft delete table inet k3smesh; fi
    rm -rf "$DIR" /run/k3smesh
    echo off
    ;;
esac
