# page (the node itself): shows the progress of the onboarding at port 8080 of the node's address, for reading, until it is done
# (lib/progress.sh). The units are in /run, so a restart of the machine ends it too.
# Arguments: NAME, ADDRESS. Files: view.sh, style.css, end-page.sh, k3s-onboarding.socket, k3s-onboarding@.service.

if [ "$(state_of health_check_ready)" = "done" ]; then
  outcome "the onboarding of $NAME is done, so it shows no page"
  exit 0
fi
progress
for file in view.sh style.css end-page.sh; do install_file 0644 "$WORK/$file" "$ONBOARDING/$file" || :; done

units=/run/systemd/system
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
