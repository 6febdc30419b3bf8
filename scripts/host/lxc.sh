# lxc (Proxmox host): sets what only root on the host may set for a container: features, raw lines, and access by SSH. Then the
# host records that this program finished the guest.
# Arguments: ACTION, VMID, NAME, ADDRESS, AUTHORIZED_KEYS (one per line). Input: MARK.
# Files: features, raw-lines (one per line), sshd.conf (hardening), sshd-tmpfiles.conf, guest-ssh.sh.

conf=$(guest_conf) || fail "guest $VMID does not exist on this Proxmox host" "pulumi up --refresh creates it again"
is_ours "$conf" || refuse_foreign "$conf" "$ANOTHER_VMID"
[ "$(guest_name "$conf")" = "$NAME" ] || fail "guest $VMID is this cluster's node $(guest_name "$conf"), not $NAME; it was not touched" "$ANOTHER_VMID"
# Anybody can copy the mark. So the host must also have a record that the creation began, or was finished, here.
has_record "$CREATIONS" "$conf" || has_record "$PREPARED" "$conf" || refuse_unknown "$conf"

# wanted FILE: the configuration with our lines in its main section. Other lines and features do not change.
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
    # Proxmox VE writes an empty value with a blank after the colon.
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
  cat "$WORK/wanted" >"$conf" # in one write: /etc/pve supports no rename from another file system
  change=written
fi
record "$PREPARED" "$(creation_of "$conf")"
rm -f "$CREATIONS/$VMID"

# The lines take effect at a start. The stamp says which lines the guest was started with. It is a file of its own, so that the
# next run restarts the guest even if this one is interrupted between write and restart.
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
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) did not boot: no systemd after 60 s" "look at its console with pct console $VMID on the Proxmox host, then pulumi up"
  sleep 0.2
done
# A guest also runs if its network did not start. Then only its host reaches it.
until guest_exec "$VMID" ip -4 -oneline address show 2>/dev/null | grep -qF " $ADDRESS/"; do
  still_runs "$set_up" "pulumi up"
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) runs, but without its address $ADDRESS" \
    "pct reboot $VMID on the Proxmox host, then pulumi up; if that does not help, check net0 in pct config $VMID, and the bridge"
  sleep 0.2
done
say "setting up SSH in $NAME ($VMID)"
printf '%s\n' "$AUTHORIZED_KEYS" >"$WORK/authorized_keys"
# One call for all files: each call of `pct` takes as long as the work here.
set_up_ssh() {
  tar -C "$WORK" -cf - authorized_keys sshd.conf sshd-tmpfiles.conf guest-ssh.sh |
    guest_feed "$VMID" sh -c 'mkdir -p /run/proxmox-k3s && tar -C /run/proxmox-k3s -xf - && sh /run/proxmox-k3s/guest-ssh.sh'
}
if ! set_up_ssh; then
  still_runs_after_failure "$set_up" "pulumi up"
  fail "SSH could not be set up in $NAME ($VMID); the lines above say why" "fix it with pct enter $VMID on the Proxmox host, then pulumi up"
fi
outcome "container $VMID: configuration $change"
