# page (Proxmox host): opens a page on the node that shows the progress of its onboarding (host/files/guest-page.sh); on deletion closes
# it. Runs on the host, because a node that does not run must not block anything. The cluster does not need the page, so this never
# fails.
# Arguments: ACTION, VMID, NAME, ADDRESS. Input: MARK. Files: guest-page.sh, style.css, view.sh, end-page.sh, k3s-onboarding.socket,
# k3s-onboarding@.service.

GUEST_BOUND=30
if ! trusts "$VMID" "$NAME" || ! guest_runs "$VMID"; then
  outcome "no guest $NAME ($VMID) of this cluster runs, so there is no page"
  exit 0
fi
# shellcheck disable=SC2016 # the guest's values
if tar -C "$WORK" -cf - guest-page.sh style.css view.sh end-page.sh k3s-onboarding.socket k3s-onboarding@.service |
  guest_feed "$VMID" sh -c 'mkdir -p /run/proxmox-k3s-page && tar -C /run/proxmox-k3s-page -xf - && sh /run/proxmox-k3s-page/guest-page.sh "$@"' \
    sh "$ACTION" "$NAME" "$ADDRESS" >"$WORK/said" 2>&1; then
  outcome "$(tail -n 1 "$WORK/said" | LC_ALL=C tr -cd ' -~' | cut -c 1-200)"
else
  tail -n 5 "$WORK/said" | LC_ALL=C tr -cd ' -~\n' | cut -c 1-200 | sed 's/^/  /'
  outcome "$NAME ($VMID) gave no valid answer; if it shows a page, that ends when the guest restarts"
fi
