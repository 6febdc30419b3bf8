# Downloads over HTTP, with curl or wget.

has_downloader() { command -v curl >/dev/null || command -v wget >/dev/null; }

# download URL FILE: follows redirects, from https only to https.
download() {
  secure='=http,https'
  case $1 in https://*) secure='=https' ;; esac
  if command -v curl >/dev/null; then
    curl -fsSL --proto '=http,https' --proto-redir "$secure" --retry 5 --retry-delay 1 --retry-max-time 120 --connect-timeout 10 -o "$2" -- "$1"
  else
    case $1 in
      https://*) wget -q -T 30 -t 5 --https-only -O "$2" -- "$1" ;;
      *) wget -q -T 30 -t 5 -O "$2" -- "$1" ;;
    esac
  fi
}
