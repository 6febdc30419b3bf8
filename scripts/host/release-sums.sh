# release-sums (Proxmox host): answers "<sum of the binary> <sum of the images, or ->" from the release's own list, for a version
# without recorded sums. It is read once and kept in the state, so that all nodes get the same file.
# Arguments: SOURCE (URL of the release's folder), ARCH, IMAGES yes|no.

case $ARCH in
  amd64) file=k3s ;;
  *) file=k3s-$ARCH ;;
esac
list=$SOURCE/sha256sum-$ARCH.txt
download "$list" "$WORK/list" || fail "$list could not be downloaded on the Proxmox host" "set artifacts.sha256 in the config, or npx proxmox-k3s pin VERSION"

sum_of() {
  found=$(awk -v file="$1" '$2 == file || $2 == "*" file { print $1 }' "$WORK/list")
  # Exactly one line: a list that has a file twice is ambiguous.
  case $found in *[!0-9a-f]*) found='' ;; esac
  [ "${#found}" -eq 64 ] || fail "$list has no SHA-256 for $1" "set artifacts.sha256 in the config"
}
sum_of "$file"
sums=$found
if [ "$IMAGES" = yes ]; then
  sum_of "k3s-airgap-images-$ARCH.tar"
  sums="$sums $found"
else
  sums="$sums -"
fi
outcome "$sums"
