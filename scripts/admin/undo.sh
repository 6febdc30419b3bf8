# Takes back what init made on the host for a cluster, and nothing else. CLUSTER POOL GATE_FILE

keys=/root/.ssh/authorized_keys

if [ ! -e "$RECORDS/$CLUSTER" ]; then
  tell KEPT "everything: this host has no record that init made something for $CLUSTER"
  exit 0
fi
guests=$(members "$POOL")
[ -z "$guests" ] || fail "the pool $POOL has guests: $guests" "destroy the cluster first: pulumi destroy"

remove() { # remove KIND WORD…: one line of the record
  case $1 in
    pool) if there "/pools/$2"; then change delete "/pools/$2"; fi ;;
    token) if there "/access/users/$2/token/$3"; then change delete "/access/users/$2/token/$3"; fi ;;
    grant) if granted "$2" "$3" "$4"; then change set /access/acl --path "$2" --users "$3" --roles "$4" --delete 1; fi ;;
    user)
      case $(ask "/access/users/$2/token") in
        '' | '[]') ;;
        *)
          tell KEPT "user $2, who has further API tokens"
          return
          ;;
      esac
      if there "/access/users/$2"; then change delete "/access/users/$2"; fi
      ;;
    key)
      if grep -qF -- "$2 $3" "$keys" 2>/dev/null; then
        # The file may be a link into /etc/pve, so it is not replaced.
        left=$(grep -vF -- "$2 $3" "$keys" || :)
        printf '%s' "${left:+$left
}" >"$keys"
      fi
      ;;
    role)
      if ask /access/acl | grep -qF "\"roleid\":\"$2\""; then
        tell KEPT "role $2, which others have"
        return
      fi
      if there "/access/roles/$2"; then change delete "/access/roles/$2"; fi
      ;;
    template)
      path=/nodes/$(hostname -s)/storage/${2%%:*}/content
      if ask "$path" | grep -qF "\"$2\""; then change delete "$path/$2"; fi
      ;;
    gate)
      if grep -qF -- "$GATE_FILE" "$keys" 2>/dev/null; then
        tell KEPT "$GATE_FILE, which other keys have"
        return
      fi
      rm -f "$GATE_FILE"
      ;;
    folder) rm -rf "$2" ;;
    *) fail "the record $RECORDS/$CLUSTER has a line of another version: $*" "use the version of the program that ran init" ;;
  esac
  case $1 in key) shown="$1 in $keys" ;; *) shown=$* ;; esac
  tell REMOVED "$shown"
}

take_back() { # take_back RECORD: from its end, so that a run that was cut off goes on
  while line=$(tail -n 1 "$RECORDS/$1") && [ -n "$line" ]; do
    # shellcheck disable=SC2086 # words
    remove $line
    sed -i '$d' "$RECORDS/$1"
  done
  rm -f "$RECORDS/$1"
}

take_back "$CLUSTER"
if [ -z "$(ls "$RECORDS")" ] && [ -e "$RECORDS/.shared" ]; then take_back .shared; fi
rm -f "$RECORDS/.roles"
rmdir "$RECORDS" /var/lib/proxmox-k3s 2>/dev/null || :
