# Makes on the Proxmox host what a cluster needs: pool, roles, user, rights, template. What stands is left as it is.
# CLUSTER POOL API_USER GRANTS ("PATH ROLE PRIVILEGE,…" a line) TEMPLATE ("STORAGE FILE" or empty) GATE_FILE HOST_KEY

umask 077
for name in "$CLUSTER" .shared; do
  mkdir -p "$RECORDS"
  [ -e "$RECORDS/$name" ] || : >"$RECORDS/$name"
done

if there "/pools/$POOL"; then
  tell STANDS "resource pool $POOL"
else
  note "$CLUSTER" "pool $POOL"
  change create /pools --poolid "$POOL"
  tell MADE "resource pool $POOL"
fi

printf '%s\n' "$GRANTS" | cut -d' ' -f2,3 | sort -u >"$RECORDS/.roles"
while read -r role wanted; do
  if there "/access/roles/$role"; then
    held=$(ask "/access/roles/$role" | grep -oE '[A-Z][A-Za-z]*(\.[A-Z][A-Za-z]*)+' || :)
    lacking=$(printf '%s\n' "$wanted" | tr , '\n' | grep -vxF -- "$held" | paste -sd ' ' -)
    if [ -z "$lacking" ]; then
      tell STANDS "role $role"
    else
      tell DIFFERS "role $role lacks $lacking: pveum role modify $role --append 1 --privs \"$lacking\""
    fi
  else
    note .shared "role $role"
    change create /access/roles --roleid "$role" --privs "$wanted"
    tell MADE "role $role"
  fi
done <"$RECORDS/.roles"
rm -f "$RECORDS/.roles"

if there "/access/users/$API_USER"; then
  tell STANDS "user $API_USER"
else
  note "$CLUSTER" "user $API_USER"
  change create /access/users --userid "$API_USER" --comment "K3s cluster $CLUSTER"
  tell MADE "user $API_USER"
fi

while read -r path role _; do
  if granted "$path" "$API_USER" "$role"; then
    tell STANDS "$role for $API_USER at $path"
  else
    note "$CLUSTER" "grant $path $API_USER $role"
    change set /access/acl --path "$path" --users "$API_USER" --roles "$role"
    tell MADE "$role for $API_USER at $path"
  fi
done <<GRANTS
$GRANTS
GRANTS

if [ -n "$TEMPLATE" ]; then
  store=${TEMPLATE% *} file=${TEMPLATE#* }
  if ask "/nodes/$(hostname -s)/storage/$store/content" --content vztmpl | grep -qF "\"$store:vztmpl/$file\""; then
    tell STANDS "template $store:vztmpl/$file"
  else
    note .shared "template $store:vztmpl/$file"
    pveam update >/dev/null 2>&1 || tell DIFFERS "pveam update failed, so the list of templates may be old"
    said=$(pveam download "$store" "$file" 2>&1) || fail "pveam download $store $file: $(printf '%s' "$said" | tail -n 1)" \
      "see pveam available --section system on the host; name another with --template, or bring the file to the storage by hand"
    tell MADE "template $store:vztmpl/$file"
  fi
fi

# The gate is installed next, over the same connection. Before that, what of it is there.
[ -e "$GATE_FILE" ] || note .shared gate
[ -e /var/log/proxmox-k3s ] || note .shared "folder /var/log/proxmox-k3s"
grep -qF -- "$HOST_KEY" /root/.ssh/authorized_keys 2>/dev/null || note "$CLUSTER" "key $HOST_KEY"
