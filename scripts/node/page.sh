# page (the node itself): shows the progress of the onboarding at port 8080 of the node's address, for reading, until it is done
# (lib/progress.sh). The units are in /run, so a restart of the machine ends it too. Its deletion closes the page.
# Arguments: NAME, ADDRESS. Files: view.sh, style.css, end-page.sh, k3s-onboarding.socket, k3s-onboarding@.service.

units=/run/systemd/system
no_page() { # no_page WHY
  if [ -e "$units/k3s-onboarding.socket" ]; then sh "$WORK/end-page.sh"; fi
  outcome "$1"
  exit 0
}
[ "$ACTION" != delete ] || no_page "$NAME shows no page any more"
[ "$(state_of health_check_ready)" != "done" ] || no_page "the onboarding of $NAME is done, so it shows no page"
# It may have joined before there were reports: then no last step would end the page.
[ ! -e /var/lib/proxmox-k3s/started ] || no_page "$NAME has joined before, so it shows no page"
progress
for file in view.sh style.css end-page.sh; do install_file 0644 "$WORK/$file" "$ONBOARDING/$file" || :; done

sed "s/@ADDRESS@/$ADDRESS/" "$WORK/k3s-onboarding.socket" >"$WORK/socket"
install_file 0644 "$WORK/socket" "$units/k3s-onboarding.socket" || :
install_file 0644 "$WORK/k3s-onboarding@.service" "$units/k3s-onboarding@.service" || :
systemctl daemon-reload
# Nothing of the cluster needs it.
if systemctl start k3s-onboarding.socket; then
  outcome "the progress of $NAME is at http://$ADDRESS:8080/"
else
  outcome "$NAME shows no page: journalctl -u k3s-onboarding.socket on the node says why"
fi
