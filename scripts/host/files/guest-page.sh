# Runs inside the guest: opens a read-only page at port 8080 of the node's address with the progress of the onboarding, until it is
# done (lib/progress.sh). The units are in /run, so a restart of the machine also closes the page. `delete` closes it.
# Arguments: ACTION, NAME, ADDRESS. Its other files are in /run/proxmox-k3s-page. Its last line is its result, for people.
set -eu
umask 077
ACTION=$1 NAME=$2 ADDRESS=$3
WORK=/run/proxmox-k3s-page
trap 'rm -rf "$WORK"' EXIT

units=/run/systemd/system
no_page() { # no_page WHY
  if [ -e "$units/k3s-onboarding.socket" ]; then sh "$WORK/end-page.sh"; fi
  echo "$1"
  exit 0
}
[ "$ACTION" != delete ] || no_page "$NAME shows no page any more"
[ "$(state_of health_check_ready)" != "done" ] || no_page "the onboarding of $NAME is done, so it shows no page"
# A node may have joined with an older version, which wrote no reports. Then no last step would end the page.
[ ! -e /var/lib/proxmox-k3s/started ] || no_page "$NAME has joined before, so it shows no page"
# shellcheck disable=SC2119 # no step, so all are pending
progress
for file in view.sh style.css end-page.sh; do install -m 0644 "$WORK/$file" "$ONBOARDING/$file"; done

sed "s/@ADDRESS@/$ADDRESS/" "$WORK/k3s-onboarding.socket" >"$WORK/socket"
mkdir -p "$units"
install -m 0644 "$WORK/socket" "$units/k3s-onboarding.socket"
install -m 0644 "$WORK/k3s-onboarding@.service" "$units/k3s-onboarding@.service"
systemctl daemon-reload
if systemctl start k3s-onboarding.socket; then
  echo "the progress of $NAME is at http://$ADDRESS:8080/"
else
  echo "$NAME shows no page: journalctl -u k3s-onboarding.socket on the node says why"
fi
