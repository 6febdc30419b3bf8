# snippet (Proxmox host): writes the file with which cloud-init installs the guest agent of new virtual machines to a storage for
# snippets. On deletion it removes the file, unless a guest still names it: Proxmox VE would not start that guest. The cluster's
# id is in the file's name, so no other cluster uses the file. Arguments: ACTION, STORAGE. Input: CLUSTER_ID. Files: vendor-data.yaml.

here=$(this_host)
file=proxmox-k3s-$CLUSTER_ID.yaml
volume=$STORAGE:snippets/$file

# field NAME PATH: a field of Proxmox VE's answer, one line of plain characters.
field() {
  timeout 20 pvesh get "$2" --output-format json 2>"$WORK/error" | perl -MJSON::PP -e '
    local $/;
    my $answer = decode_json(<STDIN> || "{}");
    print $answer->{$ARGV[0]} // "";
  ' "$1" | tr -cd '[:print:]'
}
folder() {
  path=$(field path "/storage/$STORAGE")
  own=$(field content-dirs "/storage/$STORAGE" | tr ',' '\n' | sed -n 's/^snippets=//p')
  case $path in /*) printf '%s/%s' "$path" "${own:-snippets}" ;; esac
}

if [ "$ACTION" = delete ]; then
  # If the storage is gone, so is our file.
  folder=$(folder)
  if [ -z "$folder" ]; then
    outcome "the storage $STORAGE no longer exists"
    exit 0
  fi
  named=$(grep -lF -- "$volume" /etc/pve/nodes/*/qemu-server/*.conf 2>/dev/null | sed 's|.*/||; s|[.]conf$||' | paste -sd ' ' - || :)
  if [ -n "$named" ]; then
    outcome "$volume stays, because these guests name it: $named"
    exit 0
  fi
  rm -f "$folder/$file"
  outcome "$volume is removed"
  exit 0
fi

content=$(field content "/nodes/$here/storage/$STORAGE/status")
case ,$content, in
  *,snippets,*) ;;
  ,,) fail "Proxmox VE does not show the storage $STORAGE of $here: $(tr '\n' ' ' <"$WORK/error")" "set proxmox.snippets to a storage of pvesm status, then pulumi up" ;;
  *)
    fail "the storage $STORAGE does not allow the content type snippets (content: $content)" \
      "pvesm set $STORAGE --content $content,snippets; or install qemu-guest-agent in the image or template yourself, and set installAgent: false in the pool; then pulumi up"
    ;;
esac
if [ "$(field active "/nodes/$here/storage/$STORAGE/status")" != 1 ]; then
  fail "the storage $STORAGE is not active" "find the cause with pvesm status on the Proxmox host, then pulumi up"
fi
folder=$(folder)
[ -n "$folder" ] || fail "the storage $STORAGE has no folder" "set proxmox.snippets to a storage of the type dir, NFS, CIFS or CephFS, then pulumi up"
# It has no secret. Others may read it, like every snippet.
umask 022
install_file 0644 "$WORK/vendor-data.yaml" "$folder/$file" || :
outcome "$volume is there"
