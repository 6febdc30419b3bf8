# packages (the node itself): installs the Debian packages that the pool asks for, and enables iscsid. Before K3s.
# Arguments: NAME, ARCH amd64|arm64, PACKAGES (one per line), ISCSI yes|no (its storage needs iscsid), DEADLINE (s, for all tries).

doing packages_installed "looking what is there"
check_node

missing=
for name in $PACKAGES; do
  is_installed "$name" || missing="$missing $name"
done
if [ -n "$missing" ]; then
  command -v apt-get >/dev/null ||
    fail "$NAME has no apt, by which it would get$missing" "take packages out of the pool and install them in the template, or take one of Debian or Ubuntu"
  doing packages_installed "installing$missing"
  # shellcheck disable=SC2086 # one word each
  apt_install $missing
fi
wanted=$(printf '%s' "$PACKAGES" | tr '\n' ' ')
progress packages_installed "done" "${wanted:-none are asked for}"

if [ "$ISCSI" = no ]; then
  progress iscsi_enabled skipped "no storage of the pool needs it"
elif ! systemctl cat iscsid.service >/dev/null 2>&1; then
  # The label alone: who does without Longhorn there does without iSCSI.
  progress iscsi_enabled skipped "iscsid is not installed: for Longhorn add open-iscsi to packages of the pool"
else
  doing iscsi_enabled "enabling iscsid"
  systemctl enable -q --now iscsid.service ||
    fail "iscsid does not start on $NAME" "journalctl -u iscsid on the node says why; then pulumi up"
  progress iscsi_enabled "done" "iscsid runs"
fi
outcome "the packages of $NAME: ${missing:-they were there}"
