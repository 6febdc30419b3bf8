# lxc (Proxmox host): what only root on the host may set for a container: features, raw lines, and the way in by SSH. When
# they are written, the host records that this program finished the guest.
# Arguments: ACTION, VMID, NAME, ADDRESS, AUTHORIZED_KEYS (one a line). Input: MARK.
# Files: features, raw-lines (one a line), sshd.conf (hardening), sshd-tmpfiles.conf, guest-ssh.sh.

conf=$(guest_conf) || fail "guest $VMID does not exist on this Proxmox host" "pulumi up --refresh makes it again"
is_ours "$conf" || refuse_foreign "$conf" "$ANOTHER_VMID"
[ "$(guest_name "$conf")" = "$NAME" ] || fail "guest $VMID is this cluster's node $(guest_name "$conf"), not $NAME; it was not touched" "$ANOTHER_VMID"
# The mark alone is anybody's to copy. The creation was begun here, or finished here before.
has_record "$CREATIONS" "$conf" || has_record "$PREPARED" "$conf" || refuse_unknown "$conf"

# wanted FILE: the configuration with our lines in its main section. Lines and features of others stay as they are.
wanted() {
  awk -v features="$(cat "$WORK/features")" -v raw_file="$WORK/raw-lines" '
    BEGIN { while ((getline line < raw_file) > 0) if (line != "") { raw[++count] = line; ours[line] = 1 } }
    # Of a line of features, those that are none of ours.
    function add_theirs(line,   i, count, theirs) {
      sub(/^features: */, "", line)
      count = split(line, theirs, / *, */)
      for (i = 1; i <= count; i++) if (index("," features, "," substr(theirs[i], 1, index(theirs[i], "="))) == 0) features = features "," theirs[i]
    }
    function add_ours(   i) {
      if (added) return
      added = 1
      if (features != "") print "features: " features
      for (i = 1; i <= count; i++) print raw[i]
    }
    # Proxmox VE writes an empty value with a blank behind the colon.
    { plain = $0; sub(/ +$/, "", plain) }
    !added && /^\[/ { add_ours(); print "" }
    !added && /^features:/ { add_theirs(plain); next }
    !added && (plain in ours || plain == "") { next }
    { print }
    END { add_ours() }
  ' "$1"
}

await_unlocked "$conf"
wanted "$conf" >"$WORK/wanted"
settings() { main_section "$1" | sed 's/ *$//; /^$/d' | sort; }
settings "$conf" >"$WORK/before"
settings "$WORK/wanted" >"$WORK/after"
change=kept
if ! cmp -s "$WORK/before" "$WORK/after"; then
  say "writing features and raw lines of $VMID"
  cat "$WORK/wanted" >"$conf" # in one write: /etc/pve knows no rename from elsewhere
  change=written
fi
record "$PREPARED" "$(creation_of "$conf")"
rm -f "$CREATIONS/$VMID"

# The lines act at a start. A guest that has not been started since they were written is behind them: the stamp is
# kept beside our other files, so that a run cut off between write and restart still restarts.
stamp=/var/lib/proxmox-k3s/lxc-started/$VMID
sum=$(cat "$WORK/features" "$WORK/raw-lines" | sha256sum | cut -d' ' -f1)
if [ "$change" = written ] || ! guest_runs "$VMID" || [ "$(cat "$stamp" 2>/dev/null || :)" != "$sum" ]; then
  if guest_runs "$VMID"; then
    say "restarting $NAME ($VMID)"
    if [ "$ACTION" = create ]; then guest_stop "$VMID"; else guest_shut_down "$VMID"; fi
  fi
  guest_start "$VMID"
  change="$change, started"
  mkdir -p "$(dirname "$stamp")"
  printf '%s\n' "$sum" >"$stamp"
fi

set_up="it was set up"
began=$(now)
until guest_exec "$VMID" test -S /run/systemd/private 2>/dev/null; do
  still_runs "$set_up" "pulumi up"
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) did not boot: no systemd after 60 s" "pct console $VMID on the Proxmox host"
  sleep 0.2
done
# A guest whose network did not come up runs all the same, and nobody but its host reaches it.
until guest_exec "$VMID" ip -4 -oneline address show 2>/dev/null | grep -qF " $ADDRESS/"; do
  still_runs "$set_up" "pulumi up"
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) runs, but without its address $ADDRESS" \
    "pct reboot $VMID on the Proxmox host, then pulumi up; if it stays, net0 of pct config $VMID and the bridge say why"
  sleep 0.2
done
say "setting up SSH in $NAME ($VMID)"
printf '%s\n' "$AUTHORIZED_KEYS" >"$WORK/authorized_keys"
# One call for all files: each `pct` costs as much as what it does here.
set_up_ssh() {
  tar -C "$WORK" -cf - authorized_keys sshd.conf sshd-tmpfiles.conf guest-ssh.sh |
    guest_feed "$VMID" sh -c 'mkdir -p /run/proxmox-k3s && tar -C /run/proxmox-k3s -xf - && sh /run/proxmox-k3s/guest-ssh.sh'
}
if ! set_up_ssh; then
  still_runs_after_failure "$set_up" "pulumi up"
  fail "SSH could not be set up in $NAME ($VMID); the lines above say why" "pct enter $VMID on the Proxmox host"
fi
outcome "container $VMID: configuration $change"
