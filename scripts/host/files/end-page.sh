# Ends the page of the onboarding.
PATH=$PATH:/run/current-system/sw/bin
systemctl stop k3s-onboarding.socket
rm -f /run/systemd/system/k3s-onboarding.socket /run/systemd/system/k3s-onboarding@.service
systemctl daemon-reload
