# Runs inside the guest: switches to the system that was built there (node/nixos-build.sh), on trial first. K3s runs meanwhile.
# Arguments: try SECONDS | said | keep | apply | back. `try` answers at once; `said` prints the result. The machine does not boot with a
# system on trial: after SECONDS, or a reboot, the former one is back, unless `keep` came before.
# The last line is one word: waiting, tried, kept, unchanged or former.
set -eu
umask 022
# Also answer if a command fails.
trap 'test $? -eq 0 || echo former' EXIT
TRIAL=/run/proxmox-k3s-nixos
mkdir -p "$TRIAL"
chmod 0700 "$TRIAL"
own() { systemd-run -q --collect "$@"; }
say_so() { printf '%s\n' "$@" >"$TRIAL/said"; }
end_trial() { systemctl stop proxmox-k3s-back.timer 2>/dev/null || :; }
# The time of the trial is over, and the switch to the former system runs.
goes_back() { systemctl is-active -q proxmox-k3s-back.service; }
is_there() { [ "$(running_system)" = "$(built_system)" ]; }
back() {
  "$(cat "$TRIAL/former")/bin/switch-to-configuration" test >"$TRIAL/log" 2>&1 || :
  rm -f "$TRIAL/former"
}

case $1 in
  try)
    if [ ! -e "$TRIAL/former" ] && is_there && [ "$(boot_system)" = "$(built_system)" ]; then
      echo unchanged
      exit 0
    fi
    end_trial
    if [ ! -e "$TRIAL/former" ]; then running_system >"$TRIAL/former"; fi
    say_so waiting
    install -m 0700 "$0" "$TRIAL/guest-nixos.sh"
    own --unit=proxmox-k3s-back --on-active="$2" --timer-property=AccuracySec=1s /bin/sh "$TRIAL/guest-nixos.sh" back
    # In a separate unit: a switch may restart the guest agent, which would end its commands.
    own --unit=proxmox-k3s-switch /bin/sh "$TRIAL/guest-nixos.sh" apply
    echo waiting
    ;;
  apply)
    # A switch fails if any unit has failed, even one that had failed before.
    code=0
    nixos_rebuild test >"$TRIAL/log" 2>&1 || code=$?
    if is_there; then
      if [ "$code" -eq 0 ]; then say_so tried; else say_so "$(tail -n 20 "$TRIAL/log")" tried; fi
    else
      end_trial
      cp "$TRIAL/log" "$TRIAL/failed"
      back
      say_so "$(tail -n 20 "$TRIAL/failed")" former
    fi
    ;;
  said) cat "$TRIAL/said" ;;
  keep)
    if [ -e "$TRIAL/former" ] && is_there; then
      end_trial
      if goes_back; then
        echo former
      # `boot`, not `switch`: it does not touch units again, so it fails only if the boot loader cannot be installed.
      elif nixos_rebuild boot >"$TRIAL/log" 2>&1; then
        rm -f "$TRIAL/former"
        echo kept
      else
        tail -n 20 "$TRIAL/log"
        back
        echo former
      fi
    elif is_there && [ "$(boot_system)" = "$(built_system)" ]; then
      echo unchanged
    else
      echo former
    fi
    ;;
  back)
    back
    say_so former
    ;;
esac
