# push-artifacts (Proxmox host): copies the release's files from a folder on the host into the guest, for nodes that download
# nothing. The node checks their sums before use. Arguments: VMID, NAME, FROM (folder on the host; the gate lists the allowed
# ones), FILES (one per line). Input: MARK.

TO=/var/lib/proxmox-k3s/artifacts
need_machine
GUEST_BOUND=300
printf '%s\n' "$FILES" >"$WORK/files"
not_copied() {
  still_runs_after_failure "K3s was copied into it"
  fail "$1 could not be copied into $NAME ($VMID)" "check on the Proxmox host that $TO is writable: $(guest_command "$VMID" "ls -ld $TO"), then pulumi up"
}
guest_exec "$VMID" mkdir -p "$TO" || not_copied "the files of K3s"
while read -r file; do
  [ -f "$FROM/$file" ] || fail "$FROM/$file does not exist on the Proxmox host" "copy it there, or set artifacts.baseUrl; then pulumi up"
  sum=$(sha256sum "$FROM/$file" | cut -d' ' -f1)
  if [ "$(guest_exec "$VMID" sha256sum "$TO/$file" 2>/dev/null | cut -d' ' -f1)" != "$sum" ]; then
    say "copying $file into $NAME"
    guest_push "$VMID" "$FROM/$file" "$TO/$file" 0755 || not_copied "$file"
  fi
done <"$WORK/files"
outcome "files of the release are on $NAME"
