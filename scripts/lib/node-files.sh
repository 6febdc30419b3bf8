# The files of a release on a node. Runs on the node itself. Arguments: NAME, ARCH amd64|arm64. Needs lib/node-checks.

BIN=/usr/local/bin/k3s
IMAGES_DIR=/var/lib/rancher/k3s/agent/images
[ -n "${MACHINE:-}" ] || fail "unknown architecture $ARCH"
IMAGES_FILE=k3s-airgap-images-$ARCH.tar

# check_node: before anything is changed, ends the step if checks of the node fail, and lists all of them. If K3s already runs on the
# node, they are only warnings, because this step may be the fix. Each step of the node makes the same checks, so a warning that
# another step has logged within the last hour is not repeated.
check_node() {
  node_checks >"$WORK/findings"
  if [ -e "$STAMP" ] && systemctl is-active -q k3s k3s-agent 2>/dev/null; then sed -i 's/^fail/warn/' "$WORK/findings"; fi
  logs=${LOG:-/dev/null}
  find "${logs%/*}" -maxdepth 1 -name '*.log' -mmin -60 -exec cat {} + 2>/dev/null | grep '^warning: ' >"$WORK/warned" || :
  awk -F '\t' '$1 == "warn" { print "warning: " $3 " (" $4 ")" }' "$WORK/findings" | grep -vxF -f "$WORK/warned" || :
  problems=$(awk -F '\t' '$1 == "fail" { printf "\n  - %s (%s)", $3, $4 }' "$WORK/findings")
  [ -z "$problems" ] || fail "$NAME is not ready for K3s:$problems" "fix these, then pulumi up"
}

# sum_of FILE: its SHA-256. With openssl, which uses the processor's own instructions, a release takes a third of the time.
sum_of() { if command -v openssl >/dev/null; then openssl dgst -sha256 -r "$1"; else sha256sum "$1"; fi | cut -d' ' -f1; }

# has_sum FILE SUM
has_sum() { [ -f "$1" ] && [ "$(sum_of "$1")" = "$2" ]; }

# need_sum FILE SUM: removes the file and ends the step if its SHA-256 differs.
need_sum() {
  found=$(sum_of "$1")
  [ "$found" != "$2" ] || return 0
  rm -f "$1"
  file=${1##*/}
  fail "${file%.new} has the SHA-256 $found, not the expected $2; it was not used" \
    "check artifacts.baseUrl and artifacts.sha256 in the config: the file or the sum is wrong"
}
