# fetch-artifacts (the node itself): downloads the release's files into a folder of the node, as far as K3s does not use
# them already. On all nodes at once, and before a node's K3s is touched.
# Arguments: NAME, ARCH amd64|arm64, VERSION, SOURCE (URL of the release's folder), TO (folder), IMAGES yes|no.
# Inputs: SHA256, IMAGES_SHA256.

[ -e /var/lib/proxmox-k3s/started ] || doing k3s_installed "getting the files of K3s $VERSION"
check_node
has_downloader ||
  fail "neither curl nor wget is there on $NAME" "take a template with one of them, or set artifacts.file"

# fetch FILE SUM IN_USE: unless K3s uses that very file. A file gets the name of its sum, so that what has one is whole.
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
# Of a version that never got its turn.
find "$TO" -type f ! -name "$SHA256" ! -name "$IMAGES_SHA256" -delete
fetch "$BINARY_FILE" "$SHA256" "$BIN"
[ "$IMAGES" = no ] || fetch "$IMAGES_FILE" "$IMAGES_SHA256" "$IMAGES_DIR/$IMAGES_FILE"
outcome "the files of K3s $VERSION on $NAME: ${fetched:-they were there}"
