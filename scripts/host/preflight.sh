# preflight (Proxmox host): checks the host before the first machine is created. Changes nothing. Arguments: ACTION
# create|update (fails with all problems at once; checks nothing if all machines exist) | look (answers one finding per line),
# PVE_NODE, BRIDGE, POOL, NODES ("VMID name address storage GiB source", one per line; the source of a container is a template,
# that of a virtual machine the VMID of a template, an image, or STORAGE:import for an image that is downloaded), FURTHER
# ("VMID storage GiB": disks of virtual machines that outlive them, with the guest that keeps them), FIRMWARE ("VMID
# seabios|ovmf": the firmware that templates must have been made for), MODULES (kernel modules for the options of K3s, in one line),
# OVERLAYFS (storages of containers whose images are on overlayfs, one per line), SNIPPETS (storage for the file that installs the
# guest agent; empty if none is needed). Input: MARK, empty if the cluster has none yet.
# A finding: ok|warn|fail <TAB> check <TAB> what was seen <TAB> remedy, one command or one sentence <TAB> VMID of the guest that
# an interrupted creation left.

findings=$WORK/findings
: >"$findings"
finding() { printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:-}" >>"$findings"; }
ok() { finding ok "$1" "$2" ""; }
warn() { finding warn "$1" "$2" "$3"; }
bad() { finding fail "$1" "$2" "$3"; }
found() { cut -f2 "$findings" | grep -qx "$1"; }

# --- machines that do not exist yet -----------------------------------------------------------------------------------
marked() { [ -n "$MARK" ] && is_ours "$1"; }
printf '%s\n' "$NODES" | while read -r VMID rest; do
  if conf=$(guest_conf) && marked "$conf"; then continue; fi
  printf '%s %s\n' "$VMID" "$rest"
done >"$WORK/missing"
if [ "$ACTION" != look ] && [ ! -s "$WORK/missing" ]; then
  outcome "all machines exist already"
  exit 0
fi
count=$(wc -l <"$WORK/missing")
printf '%s\n' "$FURTHER" | while read -r keeper rest; do
  if [ -z "$keeper" ] || { conf=$(conf_of "$keeper") && marked "$conf"; }; then continue; fi
  printf '%s %s\n' "$keeper" "$rest"
done >"$WORK/further"

# All checks are about this host. A wrong PVE_NODE has its own finding, and must not cause others.
here=$(hostname | cut -d. -f1)

# --- slow questions, all at the same time -----------------------------------------------------------------------------
# ask FILE PATH [OPTION…]: Proxmox VE's answer, or its error in FILE.error. A storage that hangs delays the answer.
ask() {
  file=$WORK/$1
  shift
  if timeout 20 pvesh get "$@" --output-format json >"$file" 2>"$file.error"; then return 0; fi
  : >"$file"
  [ -s "$file.error" ] || echo "no answer" >"$file.error"
}
why() { tr '\n\t' '  ' <"$WORK/$1.error" | sed 's/ $//'; }
# listed FILE FIELD…: one entry per line, its fields separated by tabs; "-" for a missing field.
listed() {
  file=$WORK/$1
  shift
  perl -MJSON::PP -e '
    local $/;
    my $text = <STDIN> or exit;
    print join("\t", map { $_ // "-" } @$_{@ARGV}), "\n" for @{decode_json($text)};
  ' "$@" <"$file"
}
# answers ADDRESS: a machine has this address. First the host forgets its neighbour entry, so that only a new answer counts. A
# machine that ignores pings still answers with its MAC address.
answers() {
  ip -4 neigh flush to "$1" 2>/dev/null || :
  if ping -n -q -c 1 -w 1 "$1" >/dev/null 2>&1 || ip -4 neigh show to "$1" | grep -q lladdr; then : >"$WORK/answers.$1"; fi
}
# ask_in_background: as ask, in the background; asking collects the processes.
asking=
ask_in_background() {
  ask "$@" &
  asking="$asking $!"
}
while read -r VMID name address rest; do answers "$address" & done <"$WORK/missing"
ask_in_background nodes /cluster/resources --type node
ask_in_background guests /cluster/resources --type vm
ask_in_background pools /pools
ask_in_background storages "/nodes/$here/storage"
sources() { printf '%s\n' "$NODES" | cut -d' ' -f6 | grep "$@" | sort -u || :; }
container_templates() { sources ':vztmpl/'; }
vm_templates() { sources -v :; }
images() { sources ':import'; }
for store in $(container_templates | cut -d: -f1 | sort -u); do
  ask_in_background "templates.$store" "/nodes/$here/storage/$store/content" --content vztmpl
done
for store in $(images | cut -d: -f1 | sort -u); do
  ask_in_background "images.$store" "/nodes/$here/storage/$store/content" --content import
done
# The next parts need what Proxmox VE says. A silent address takes a whole second, so only the check of addresses waits for that.
# shellcheck disable=SC2086 # numbers of processes
wait $asking || :
