# Makes on the Proxmox host what a cluster needs: pool, roles, user, rights, template. Does not change what already exists.
# CLUSTER POOL API_USER GRANTS ("PATH ROLE PRIVILEGE,…" a line) TEMPLATE ("STORAGE FILE" or empty) GATE_FILE HOST_KEY

umask 077
for name in "$CLUSTER" .shared; do
  mkdir -p "$RECORDS"
  [ -e "$RECORDS/$name" ] || : >"$RECORDS/$name"
done

if there /pools --poolid "$POOL"; then
  tell STANDS "resource pool $POOL"
else
  noted "$CLUSTER" "pool $POOL" create /pools --poolid "$POOL" >/dev/null
  tell MADE "resource pool $POOL"
fi

printf '%s\n' "$GRANTS" | cut -d' ' -f2,3 | sort -u >"$RECORDS/.roles"
while read -r role wanted; do
  answer=$(ask "/access/roles/$role")
  if [ -n "$answer" ]; then
    held=$(printf '%s' "$answer" | grep -oE '[A-Z][A-Za-z]*(\.[A-Z][A-Za-z]*)+' || :)
    lacking=$(printf '%s\n' "$wanted" | tr , '\n' | grep -vxF -- "$held" | paste -sd ' ' -)
    if [ -z "$lacking" ]; then
      tell STANDS "role $role"
    else
      tell DIFFERS "role $role lacks $lacking: pveum role modify $role --append 1 --privs \"$lacking\""
    fi
  else
    noted .shared "role $role" create /access/roles --roleid "$role" --privs "$wanted" >/dev/null
    tell MADE "role $role"
  fi
done <"$RECORDS/.roles"
rm -f "$RECORDS/.roles"

if there "/access/users/$API_USER"; then
  tell STANDS "user $API_USER"
else
  noted "$CLUSTER" "user $API_USER" create /access/users --userid "$API_USER" --comment "K3s cluster $CLUSTER" >/dev/null
  tell MADE "user $API_USER"
fi

while read -r path role _; do
  if granted "$path" "$API_USER" "$role"; then
    tell STANDS "$role for $API_USER at $path"
  else
    noted "$CLUSTER" "grant $path $API_USER $role" set /access/acl --path "$path" --users "$API_USER" --roles "$role" >/dev/null
    tell MADE "$role for $API_USER at $path"
  fi
done <<GRANTS
$GRANTS
GRANTS

if [ -n "$TEMPLATE" ]; then
  store=${TEMPLATE% *} file=${TEMPLATE#* }
  volume=$store:vztmpl/$file
  answer=$(ask "/nodes/$(hostname -s)/storage/$store/content" --content vztmpl)
  if printf '%s' "$answer" | grep -qF "\"$volume\""; then
    tell STANDS "template $volume"
  else
    note .shared "template $volume"
    pveam update >/dev/null 2>&1 || tell DIFFERS "pveam update failed, so the list of templates may be old"
    if ! said=$(pveam download "$store" "$file" 2>&1); then
      forget .shared "template $volume"
      fail "pveam download $store $file: $(printf '%s' "$said" | tail -n 1)" \
        "see pveam available --section system on the host; name another with --template, or bring the file to the storage by hand"
    fi
    tell MADE "template $volume"
  fi
fi

# The gate is installed next, over the same connection. Before that, note the parts of it that do not exist yet.
[ -e /var/log/proxmox-k3s ] || note .shared "folder /var/log/proxmox-k3s"
[ -e "$GATE_FILE" ] || note .shared gate
grep -qF -- "$HOST_KEY" /root/.ssh/authorized_keys 2>/dev/null || note "$CLUSTER" "key $HOST_KEY"
