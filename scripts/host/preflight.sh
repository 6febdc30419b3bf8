# preflight (Proxmox host): what must be right before the first machine is made. Changes nothing. Arguments: ACTION
# create|update (fails with every problem at once; nothing is asked where all machines stand) | look (answers a line a
# finding), PVE_NODE, BRIDGE, POOL, NODES ("VMID name address storage GiB template" one a line). Input: MARK, empty where the
# cluster has none yet.
# A finding: ok|warn|fail <TAB> check <TAB> what was seen <TAB> remedy, one command or one sentence.

findings=$WORK/findings
: >"$findings"
finding() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$findings"; }
ok() { finding ok "$1" "$2" ""; }
warn() { finding warn "$1" "$2" "$3"; }
bad() { finding fail "$1" "$2" "$3"; }
found() { cut -f2 "$findings" | grep -qx "$1"; }

# --- the machines that are still to be made ---------------------------------------------------------------------------
marked() { [ -n "$MARK" ] && is_ours "$1"; }
printf '%s\n' "$NODES" | while read -r VMID rest; do
  if conf=$(guest_conf) && marked "$conf"; then continue; fi
  printf '%s %s\n' "$VMID" "$rest"
done >"$WORK/missing"
if [ "$ACTION" != look ] && [ ! -s "$WORK/missing" ]; then
  outcome "every machine stands already"
  exit 0
fi
count=$(wc -l <"$WORK/missing")

# --- questions that take their time, all at once ----------------------------------------------------------------------
# ask FILE PATH [OPTION…]: what Proxmox VE answers, or why it does not in FILE.error. A storage that hangs holds it up.
ask() {
  file=$WORK/$1
  shift
  if timeout 20 pvesh get "$@" --output-format json >"$file" 2>"$file.error"; then return 0; fi
  : >"$file"
  [ -s "$file.error" ] || echo "no answer" >"$file.error"
}
why() { tr '\n' ' ' <"$WORK/$1.error" | sed 's/ $//'; }
# listed FILE FIELD…: an entry a line, its fields separated by tabs, "-" for one that it has not.
listed() {
  file=$WORK/$1
  shift
  perl -MJSON::PP -e '
    local $/;
    my $text = <STDIN> or exit;
    print join("\t", map { $_ // "-" } @$_{@ARGV}), "\n" for @{decode_json($text)};
  ' "$@" <"$file"
}
# answers ADDRESS: somebody holds it. The host forgets what it knew of it first, so that only a fresh answer counts; one
# that refuses pings has still told its MAC address.
answers() {
  ip -4 neigh flush to "$1" 2>/dev/null || :
  if ping -n -q -c 1 -w 1 "$1" >/dev/null 2>&1 || ip -4 neigh show to "$1" | grep -q lladdr; then : >"$WORK/answers.$1"; fi
}
ask nodes /cluster/resources --type node &
ask guests /cluster/resources --type vm &
ask pools /pools &
ask storages "/nodes/$PVE_NODE/storage" &
for store in $(printf '%s\n' "$NODES" | sed 's/.* \([^ :]*\):[^ ]*$/\1/' | sort -u); do
  ask "templates.$store" "/nodes/$PVE_NODE/storage/$store/content" --content vztmpl &
done
while read -r VMID name address rest; do answers "$address" & done <"$WORK/missing"
wait
