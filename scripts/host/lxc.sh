# lxc (Proxmox host): sets what only root on the host may set for a container: features, raw lines, and access by SSH. Then the
# host records that this program finished the guest.
# Arguments: ACTION, VMID, NAME, ADDRESS, AUTHORIZED_KEYS (one per line). Input: MARK.
# Files: features, raw-lines (one per line), sshd.conf (hardening), sshd-tmpfiles.conf, guest-ssh.sh.

need_created

# wanted FILE: the configuration with our lines in its main section. Other lines and features do not change.
wanted() {
  awk -v features="$(cat "$WORK/features")" -v raw_file="$WORK/raw-lines" '
    BEGIN { while ((getline line < raw_file) > 0) if (line != "") { raw[++count] = line; ours[line] = 1 } }
    # Adds the features of a line that are not ours.
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

await_unlocked "$machine"
wanted "$machine" >"$WORK/wanted"
settings() { main_section "$1" | sed 's/ *$//; /^$/d' | sort; }
settings "$machine" >"$WORK/before"
settings "$WORK/wanted" >"$WORK/after"
change=kept
if ! cmp -s "$WORK/before" "$WORK/after"; then
  cat "$WORK/wanted" >"$machine" # in one write: /etc/pve supports no rename from another file system
  change=written
fi
finished

# The lines take effect at a start. The stamp shows with which lines the guest was started. It is a separate file, so that the
# next run restarts the guest even if this one is interrupted between write and restart.
stamp=$STARTED/$VMID
sum=$(cat "$WORK/features" "$WORK/raw-lines" | sha256sum | cut -d' ' -f1)
if [ "$change" = written ] || ! guest_runs "$VMID" || [ "$(cat "$stamp" 2>/dev/null || :)" != "$sum" ]; then
  if guest_runs "$VMID"; then
    say "restarting $NAME ($VMID) with its features and raw lines"
    if [ "$ACTION" = create ]; then guest_stop "$VMID"; else guest_shut_down "$VMID"; fi
  fi
  guest_start "$VMID"
  change="$change, started"
  mkdir -p "${stamp%/*}"
  printf '%s\n' "$sum" >"$stamp"
fi

set_up="it was set up"
began=$(now)
until guest_exec "$VMID" test -S /run/systemd/private 2>/dev/null; do
  still_runs "$set_up" "pulumi up"
  [ $(($(now) - began)) -lt 60 ] || fail "$NAME ($VMID) did not boot: no systemd after 60 s" "look at its console with pct console $VMID on the Proxmox host, then pulumi up"
  sleep 0.2
done
await_address 60 "pct reboot $VMID on the Proxmox host, then pulumi up; if that does not help, check net0 in pct config $VMID, and the bridge"
say "setting up SSH in $NAME ($VMID)"
printf '%s\n' "$AUTHORIZED_KEYS" >"$WORK/authorized_keys"
if ! set_up_ssh; then
  still_runs_after_failure "$set_up" "pulumi up"
  fail "SSH could not be set up in $NAME ($VMID); the lines above say why" "fix it with pct enter $VMID on the Proxmox host, then pulumi up"
fi
outcome "container $VMID: configuration $change"
