# fetch-artifacts (the node itself): downloads the files of the release into a folder of the node, unless K3s already uses them. Runs on
# all nodes at once, before K3s is touched on any of them.
# Arguments: NAME, ARCH amd64|arm64, VERSION, SOURCE (URL of the release's folder), TO (folder), IMAGES yes|no.
# Inputs: SHA256, IMAGES_SHA256.

[ -e /var/lib/proxmox-k3s/started ] || doing k3s_installed "getting the files of K3s $VERSION"
check_node
has_downloader ||
  fail "$NAME has neither curl nor wget" "use a template with one of them, or set artifacts.file"

# fetch FILE SUM IN_USE: downloads FILE, unless IN_USE already is that file. Only a complete file is named after its sum.
fetched=
fetch() {
  if has_sum "$3" "$2" || [ -f "$TO/$2" ]; then return 0; fi
  say "fetching $1 $VERSION"
  download "$SOURCE/$1" "$TO/$1.new" || fail "$SOURCE/$1 could not be downloaded on $NAME" \
    "see that the node reaches it (DNS, route, proxy), or set artifacts.baseUrl to a place it reaches"
  need_sum "$TO/$1.new" "$2"
  mv -f "$TO/$1.new" "$TO/$2"
  fetched="$fetched $1"
}

mkdir -p "$TO"
# Remove files of a version that was never installed.
find "$TO" -type f ! -name "$SHA256" ! -name "$IMAGES_SHA256" -delete
fetch "$BINARY_FILE" "$SHA256" "$BIN"
[ "$IMAGES" = no ] || fetch "$IMAGES_FILE" "$IMAGES_SHA256" "$IMAGES_DIR/$IMAGES_FILE"
outcome "the files of K3s $VERSION on $NAME: ${fetched:-already there}"
