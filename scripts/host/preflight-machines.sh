# preflight, third part: what the machines need from the host; then the answer.

if [ -d "/sys/class/net/$BRIDGE/bridge" ] || ovs-vsctl br-exists "$BRIDGE" 2>/dev/null; then
  if ip link show dev "$BRIDGE" up 2>/dev/null | grep -q .; then
    ok bridge "$BRIDGE"
  else
    bad bridge "$BRIDGE is down" "ifup $BRIDGE on the Proxmox host"
  fi
else
  there=$(cd /sys/class/net && for link in *; do if [ -d "$link/bridge" ]; then printf ' %s' "$link"; fi; done)
  bad bridge "there is no bridge $BRIDGE${there:+; existing bridges:$there}" "set network.bridge, or create the bridge in the web interface: $here, System, Network"
fi

# Proxmox VE lets the API token change only guests in this pool.
if ! listed pools poolid | grep -qxF "$POOL"; then
  error=$(why pools)
  if [ "$count" -gt 0 ]; then level=fail; else level=warn; fi
  finding "$level" resource-pool "there is no resource pool $POOL${error:+: $error}" "pveum pool add $POOL, then grant the token's role at /pool/$POOL (docs/by-hand.md, \"An API token\")"
fi
listed guests vmid pool | while read -r VMID pool; do
  if [ "$pool" != "$POOL" ] && conf=$(guest_conf) && marked "$conf"; then printf '%s\n' "$VMID"; fi
done >"$WORK/outside"
if [ -s "$WORK/outside" ]; then
  warn resource-pool "guests of this cluster are not in the resource pool $POOL, so the API token may not change them: $(paste -sd ' ' "$WORK/outside")" \
    "pveum pool modify $POOL --allow-move 1 --vms $(paste -sd , "$WORK/outside")"
fi
found resource-pool || ok resource-pool "$POOL"

gib() { awk -v bytes="$1" 'BEGIN { printf "%d", bytes / 1073741824 }'; }
listed storages storage type active avail content >"$WORK/stores"
[ -s "$WORK/storages" ] || bad storage "Proxmox VE does not list the storages of $here: $(why storages)" "find the cause with pvesm status on the Proxmox host"
for store in $({
  printf '%s\n' "$NODES" | cut -d' ' -f4
  printf '%s\n' "$FURTHER" | cut -d' ' -s -f2
} | sort -u); do
  line=$(awk -F '\t' -v store="$store" '$1 == store' "$WORK/stores")
  type=$(printf '%s' "$line" | cut -f2)
  content=$(printf '%s' "$line" | cut -f5)
  # The disks of containers and of virtual machines are contents of different names.
  needed=$({
    printf '%s\n' "$NODES" | awk -v store="$store" '$4 == store { print ($6 ~ /:vztmpl\// ? "rootdir" : "images") }'
    printf '%s\n' "$FURTHER" | awk -v store="$store" '$2 == store { print "images" }'
  } | sort -u)
  refused=
  for each in $needed; do
    if ! printf ',%s,' "$content" | grep -q ",$each,"; then refused="$refused,$each"; fi
  done
  if [ ! -s "$WORK/storages" ]; then
    continue
  elif [ -z "$line" ]; then
    bad storage "there is no storage $store on $here; existing storages: $(cut -f1 "$WORK/stores" | paste -sd ' ')" "set proxmox.storage (or the pool's storage); pvesm status lists them"
    continue
  elif [ "$(printf '%s' "$line" | cut -f3)" != 1 ]; then
    bad storage "$store is not active" "find the cause with pvesm status on the Proxmox host"
    continue
  elif [ "$type" = zfspool ] && printf '%s\n' "$OVERLAYFS" | grep -qxF -- "$store"; then
    bad storage "$store is ZFS, where the overlayfs of containers' root file systems does not work" "set proxmox.storage to LVM-thin or to a directory on ext4 or XFS; or set snapshotter: native in k3s.serverConfig and k3s.agentConfig, which is slower and takes more space"
    continue
  elif [ -n "$refused" ]; then
    case $refused in ,images) what="virtual machines" ;; ,rootdir) what=containers ;; *) what="containers and virtual machines" ;; esac
    bad storage "$store does not allow $what (content: $content)" "pvesm set $store --content $content$refused"
    continue
  fi
  ok storage "$store ($type)"

  # The minimum for the template, K3s and its images; the disks' full size if the storage allocates it at once.
  free=$(gib "$(printf '%s' "$line" | cut -f4)")
  machines=$(awk -v store="$store" '$4 == store' "$WORK/missing" | wc -l)
  further=$(awk -v store="$store" '$2 == store' "$WORK/further" | wc -l)
  size=$({
    awk -v store="$store" '$4 == store { print $5 }' "$WORK/missing"
    awk -v store="$store" '$2 == store { print $3 }' "$WORK/further"
  } | awk '{ sum += $1 } END { print sum + 0 }')
  what="$machines new machines"
  if [ "$further" -gt 0 ]; then what="$what and $further further disks"; fi
  seen="$store has $free GiB free; $what need $size GiB"
  [ $((machines + further)) -gt 0 ] || seen="$store has $free GiB free"
  if [ "$free" -lt $((3 * machines)) ] || { [ "$type" = lvm ] && [ "$free" -lt "$size" ]; }; then
    bad space "$seen" "free some space on $store, or set another storage"
  elif [ "$free" -lt "$size" ]; then
    warn space "$seen when their disks are full" "add space to $store, or give the nodes smaller disks"
  else
    ok space "$seen"
  fi
done

for template in $(container_templates); do
  store=${template%%:*}
  if listed "templates.$store" volid | grep -qxF "$template"; then
    ok template "$template"
  else
    error=$(why "templates.$store")
    if [ "$count" -gt 0 ]; then level=fail; else level=warn; fi
    finding "$level" template "$template does not exist${error:+: $error}" "pveam update && pveam download $store ${template##*/}"
  fi
done

for template in $(vm_templates); do
  if [ "$count" -gt 0 ]; then level=fail; else level=warn; fi
  conf=/etc/pve/qemu-server/$template.conf
  if [ ! -e "$conf" ]; then
    finding "$level" template "there is no virtual machine $template on $PVE_NODE" "set template in the pool to the VMID of a template (qm list), or make one: docs/machines.md"
  elif ! main_section "$conf" | grep -qE '^template: *1 *$'; then
    finding "$level" template "the virtual machine $template ($(guest_name "$conf")) is no template" "shut it down, then qm template $template"
  elif ! main_section "$conf" | grep -q '^scsi0:'; then
    finding "$level" template "the template $template ($(guest_name "$conf")) has no disk scsi0" "make a template whose root disk is scsi0: docs/machines.md"
  elif printf '%s\n' "$FIRMWARE" | grep -qxF "$template ovmf" && ! main_section "$conf" | grep -q '^efidisk0:'; then
    finding "$level" template "the template $template ($(guest_name "$conf")) has no EFI disk, which bios: ovmf needs" "remove bios from the pool; or make a template that boots by UEFI, with an EFI disk (qm set VMID --efidisk0 STORAGE:1,efitype=4m before qm template VMID)"
  elif printf '%s\n' "$FIRMWARE" | grep -qxF "$template seabios" && main_section "$conf" | grep -qE '^bios: *ovmf *$'; then
    finding "$level" template "the template $template ($(guest_name "$conf")) boots by UEFI, not by bios: seabios" "remove bios from the pool, or set bios: ovmf"
  else
    ok template "$template ($(guest_name "$conf"))"
  fi
done

# with_content CONTENT: the content types that the storage of `line` must allow: its own, CONTENT, and those from earlier calls. The
# command that sets them replaces them all.
with_content() {
  file=$WORK/wanted.$(printf '%s' "$line" | cut -f1)
  [ -e "$file" ] || printf '%s' "$content" >"$file"
  case ,$(cat "$file"), in *",$1,"*) ;; *) printf ',%s' "$1" >>"$file" ;; esac
  cat "$file"
}
# takes STORE CONTENT CHECK KEY [ELSE]: the storage is there and allows this content. If not, adds a finding of CHECK, with the key of
# the config that names the storage, and ELSE as another remedy.
takes() {
  line=$(awk -F '\t' -v store="$1" '$1 == store' "$WORK/stores")
  content=$(printf '%s' "$line" | cut -f5)
  if [ ! -s "$WORK/storages" ]; then return 1; fi
  if [ -z "$line" ]; then
    seen="there is no storage $1 on $here; existing storages: $(cut -f1 "$WORK/stores" | paste -sd ' ')"
    remedy="set $4 to one of them"
  elif [ "$(printf '%s' "$line" | cut -f3)" != 1 ]; then
    seen="$1 is not active" remedy="find the cause with pvesm status on the Proxmox host"
  elif ! printf ',%s,' "$content" | grep -q ",$2,"; then
    seen="$1 does not allow the content type $2 (content: $content)" remedy="pvesm set $1 --content $(with_content "$2")${5:-}"
  else
    return 0
  fi
  if [ "$count" -gt 0 ]; then level=fail; else level=warn; fi
  finding "$level" "$3" "$seen" "$remedy"
  return 1
}

# The file of a cloud image is smaller than 1 GiB. The rest is room for the next one.
for image in $(images); do
  store=${image%%:*}
  takes "$store" import image "image.storage (or image.volume)" || continue
  if listed "images.$store" volid | grep -qxF "$image"; then
    ok image "$image"
  elif [ "$image" != "$store:import" ]; then
    error=$(why "images.$store")
    if [ "$count" -gt 0 ]; then level=fail; else level=warn; fi
    finding "$level" image "$image does not exist${error:+: $error}" "put the file there (web interface: $here, $store, Import), or set image.url instead of image.volume"
  elif [ -n "$MARK" ] && listed "images.$store" volid | grep -qF "$store:import/proxmox-k3s-${MARK##* }-"; then
    ok image "downloaded to $store"
  elif free=$(gib "$(printf '%s' "$line" | cut -f4)") && [ "$free" -lt 2 ]; then
    bad image "$store has $free GiB free, and an image is to be downloaded to it" "free some space on $store, or set another image.storage"
  else
    ok image "$store can take the image that will be downloaded"
  fi
done
if [ -n "$SNIPPETS" ] && takes "$SNIPPETS" snippets snippets proxmox.snippets "; or install qemu-guest-agent in the image or template yourself, and set installAgent: false in the pool"; then
  ok snippets "$SNIPPETS"
fi
found template || ok template "no machine needs one"

# The addresses in the configuration of all guests, running or not: "address file", one per line.
confs >"$WORK/confs"
# shellcheck disable=SC2016 # awk's own
xargs awk '
  FNR == 1 { main = 1 }
  /^\[/ { main = 0 }
  main && /^(net|ipconfig)[0-9]+:/ {
    count = split($0, part, /[, ]+/)
    for (i = 1; i <= count; i++) if (sub(/^ip=/, "", part[i])) { sub(/\/.*/, "", part[i]); print part[i], FILENAME }
  }
' /dev/null <"$WORK/confs" >"$WORK/held"
# free_vmid VMID: the first VMID above it that no guest and no node has, and that was not named before.
free_vmid() {
  next=$(($1 + 1))
  while conf_of "$next" >/dev/null || printf '%s\n%s\n' "$NODES" "$FURTHER" | grep -q "^$next " || grep -qsx "$next" "$WORK/named"; do next=$((next + 1)); done
  echo "$next" | tee -a "$WORK/named"
}
# The addresses that were asked have answered, or stayed silent for a second.
wait
while read -r VMID NAME address rest; do
  name=$NAME
  if conf=$(guest_conf) && other=$(other_state "$conf") && [ -n "$other" ]; then
    # Its address is in use for the same reason.
    printf '%s %s (%s)\n' "$VMID" "$NAME" "$other" >>"$WORK/elsewhere"
    continue
  fi
  if conf=$(guest_conf); then
    bad vmid "VMID $VMID, wanted for $name, belongs to $(foreign_guest "$conf")" "$(way_on "$conf" "give $name another VMID, for example $(free_vmid "$VMID"): vmIds of its pool, or nodes: { <index>: { vmId: … } }")"
  fi
  who='' mine=''
  awk -v address="$address" '$1 == address { print $2 }' "$WORK/held" >"$WORK/holders"
  while read -r file; do
    if marked "$file"; then mine=yes; else who="$who \"$(guest_name "$file")\" ($(vmid_of "$file"))"; fi
  done <"$WORK/holders"
  if [ -n "$mine" ]; then continue; fi
  remedy="give $name another address: addresses of its pool, or nodes: { <index>: { address: … } }"
  if [ -e "$WORK/answers.$address" ]; then
    bad address "$address, wanted for $name, is in use${who:+ by the guest$who}: something answers there" "$remedy"
  elif [ -n "$who" ]; then
    warn address "$address, wanted for $name, is also the address of the guest$who, which does not answer now" "$remedy"
  fi
done <"$WORK/missing"
cut -d' ' -f1 "$WORK/further" | sort -u >"$WORK/keepers"
while read -r VMID; do
  if conf=$(guest_conf); then
    bad vmid "VMID $VMID, wanted for a guest that keeps disks, belongs to $(foreign_guest "$conf")" "$(way_on "$conf" "set disksVmIds of its pool to free VMIDs, for example from $(free_vmid "$VMID")")"
  fi
done <"$WORK/keepers"
if [ -s "$WORK/elsewhere" ]; then
  bad vmid "these guests are nodes of this cluster in another Pulumi state: $(paste -sd , "$WORK/elsewhere" | sed 's/,/, /g')" "$USE_OTHER_STATE"
fi
if [ "$count" -gt 0 ]; then free="free for all new machines"; else free="all machines exist already"; fi
found vmid || ok vmid "$free"
found address || ok address "$free"

# No `pulumi up` finds an interrupted creation if the plan no longer has its VMID.
while read -r file; do
  if marked "$file" && is_unfinished "$file"; then
    finding warn creation "guest $(vmid_of "$file") (\"$(guest_name "$file")\") was created by this program, but its set-up never finished" \
      "if no pulumi up is running: npx proxmox-k3s recover, then pulumi up" "$(vmid_of "$file")"
  fi
done <"$WORK/confs"
found creation || ok creation "no creation was interrupted"

# --- the answer -------------------------------------------------------------------------------------------------------
if [ "$ACTION" = look ]; then
  outcome "$(cat "$findings")"
  exit 0
fi
lines() { awk -F '\t' -v level="$1" -v head="$2" '$1 == level { printf "%s%s: %s (%s)\n", head, $2, $3, $4 }' "$findings"; }
lines warn "warning: "
if grep -q '^fail' "$findings"; then
  fail "the Proxmox host is not ready, so no machine was created:
$(lines fail "  - ")" "fix these, then pulumi up; npx proxmox-k3s doctor repeats all checks"
fi
outcome "the Proxmox host is ready for $count machines"
