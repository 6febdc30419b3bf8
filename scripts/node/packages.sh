# packages (the node itself): installs the Debian packages that the pool asks for, and enables iscsid. Before K3s.
# Arguments: NAME, ARCH amd64|arm64, PACKAGES (one per line), ISCSI yes|no (storage on the node needs iscsid), DEADLINE (s, for all
# tries).

doing packages_installed "checking which packages are installed"
check_node

missing=
for name in $PACKAGES; do
  is_installed "$name" || missing="$missing $name"
done
if [ -n "$missing" ]; then
  command -v apt-get >/dev/null ||
    fail "$NAME has no apt to install$missing" "remove packages from the pool and install them in the template, or use a template of Debian or Ubuntu"
  doing packages_installed "installing$missing"
  # shellcheck disable=SC2086 # one word each
  apt_install $missing
fi
wanted=$(printf '%s' "$PACKAGES" | tr '\n' ' ')
progress packages_installed "done" "${wanted:-the pool asks for none}"

if [ "$ISCSI" = no ]; then
  progress iscsi_enabled skipped "no storage of the pool needs it"
elif ! systemctl cat iscsid.service >/dev/null 2>&1; then
  # The pool asks for Longhorn only by its label. Without Longhorn the node does not need iSCSI, so this is no failure.
  progress iscsi_enabled skipped "iscsid is not installed: for Longhorn add open-iscsi to packages of the pool"
else
  doing iscsi_enabled "enabling iscsid"
  systemctl enable -q --now iscsid.service ||
    fail "iscsid does not start on $NAME" "find the cause with journalctl -u iscsid on the node, then pulumi up"
  progress iscsi_enabled "done" "iscsid runs"
fi
outcome "the packages of $NAME: ${missing:-already installed}"
