# push-artifacts (Proxmox host): the release's files from a folder on the host into the guest, for nodes that download
# nothing. Their sums are checked on the node before use. Arguments: VMID, NAME, FROM and TO (folders), FILES (one a line).

printf '%s\n' "$FILES" >"$WORK/files"
pct exec "$VMID" -- mkdir -p "$TO" </dev/null
while read -r file; do
  [ -f "$FROM/$file" ] || fail "$FROM/$file is not there on the Proxmox host" "put it there, or set artifacts.baseUrl"
  sum=$(sha256sum "$FROM/$file" | cut -d' ' -f1)
  if [ "$(pct exec "$VMID" -- sha256sum "$TO/$file" 2>/dev/null </dev/null | cut -d' ' -f1)" != "$sum" ]; then
    say "copying $file into $NAME"
    pct push "$VMID" "$FROM/$file" "$TO/$file" --perms 0755
  fi
done <"$WORK/files"
outcome "files of the release are on $NAME"
