# Removes what init made on the host for a cluster, and nothing else. CLUSTER POOL API_USER GATE_FILE

keys=/root/.ssh/authorized_keys

[ -n "$CLUSTER" ] || fail "no cluster is named" "name it with --name, as init was given it"
others=$(find "$RECORDS" -type f ! -name '.*' ! -name "$CLUSTER" 2>/dev/null || :)
# An interrupted former run may have left the things that clusters share.
if [ ! -e "$RECORDS/$CLUSTER" ] && { [ -n "$others" ] || [ ! -e "$RECORDS/.shared" ]; }; then
  tell KEPT "everything: this host has no record that init made something for $CLUSTER"
  exit 0
fi
guests=$(inhabited)
[ -z "$guests" ] || fail "$guests" "destroy the cluster first: pulumi destroy"

# keep THING: it is in use. Its line stays in the record, so a later run can take it back.
keep() {
  tell KEPT "$1"
  kept=yes
}

remove() { # remove KIND WORD…: one line of the record
  case $1 in
    pool) if there /pools --poolid "$2"; then change delete /pools --poolid "$2"; fi ;;
    token) if there "/access/users/$2/token/$3"; then change delete "/access/users/$2/token/$3"; fi ;;
    grant) if granted "$2" "$3" "$4"; then change set /access/acl --path "$2" --users "$3" --roles "$4" --delete 1; fi ;;
    user)
      answer=$(ask "/access/users/$2/token")
      case $answer in
        '' | '[]') ;;
        *) keep "user $2, who has further API tokens" && return ;;
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
      answer=$(ask /access/acl)
      if printf '%s' "$answer" | grep -qF "\"roleid\":\"$2\""; then keep "role $2, which others have" && return; fi
      if there "/access/roles/$2"; then change delete "/access/roles/$2"; fi
      ;;
    template)
      # Clusters on other nodes of this Proxmox VE cluster have records of their own, and may share the storage.
      answer=$(ask /access/users)
      if printf '%s' "$answer" | grep -o '"userid":"k3s-[^"]*@pve"' | grep -qvF "\"$API_USER\""; then
        keep "template $2, which other K3s clusters may use" && return
      fi
      path=/nodes/$(hostname -s)/storage/${2%%:*}/content
      answer=$(ask "$path")
      if printf '%s' "$answer" | grep -qF "\"$2\""; then change delete "$path/$2"; fi
      ;;
    gate)
      if grep -qF -- "$GATE_FILE" "$keys" 2>/dev/null; then keep "$GATE_FILE, which other keys have" && return; fi
      rm -f "$GATE_FILE"
      ;;
    folder)
      if [ -e "$GATE_FILE" ]; then keep "$2, the log of the gate" && return; fi
      rm -rf "$2"
      ;;
    *) fail "the record of $CLUSTER has a line of another version: $*" "use the version of the program that ran init" ;;
  esac
  case $1 in key) shown="$1 in $keys" ;; *) shown=$* ;; esac
  tell REMOVED "$shown"
}

take_back() { # take_back RECORD: from its end, so that an interrupted run can continue
  number=$(wc -l <"$RECORDS/$1")
  while [ "$number" -gt 0 ]; do
    line=$(sed -n "${number}p" "$RECORDS/$1")
    kept=no
    # shellcheck disable=SC2086 # words
    remove $line
    [ "$kept" = yes ] || sed -i "${number}d" "$RECORDS/$1"
    number=$((number - 1))
  done
}

# Remove the record of the cluster last, because it shows that this work is not done.
if [ -e "$RECORDS/$CLUSTER" ]; then take_back "$CLUSTER"; fi
if [ -z "$others" ] && [ -e "$RECORDS/.shared" ]; then take_back .shared; fi
for record in .shared "$CLUSTER"; do [ -s "$RECORDS/$record" ] || rm -f "$RECORDS/$record"; done
rm -f "$RECORDS/.roles" "$RECORDS/.new"
rmdir "$RECORDS" /var/lib/proxmox-k3s 2>/dev/null || :
