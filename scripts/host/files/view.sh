# Answers one HTTP request on stdin with the progress of the onboarding; reads two files, and writes none. Needs only sh, sed and cat.
PATH=$PATH:/run/current-system/sw/bin
set -u
cd "${0%/*}" || exit 1
carriage=$(printf '\r')

answer() { # answer STATUS TYPE: the head; what follows on stdin is the body
  printf 'HTTP/1.1 %s\r\nContent-Type: %s; charset=utf-8\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n' "$1" "$2"
  printf "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nConnection: close\r\n\r\n"
  if [ "$method" != HEAD ]; then cat; fi
}

# page: a row for each line of status.json that is a step. A message has no quotes; other special characters are escaped.
page() {
  node=$(sed -n 's/^  "node": "\([a-z0-9-]*\)",$/\1/p' status.json)
  printf '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">'
  printf '<meta name="viewport" content="width=device-width, initial-scale=1"><title>%s: onboarding</title><style>\n' "$node"
  cat style.css
  printf '</style></head>\n<body><h1>%s</h1><p class="dim">Onboarding of this node; <a href="/status.json">status.json</a>. ' "$node"
  printf 'The page reloads by itself, and goes away a minute after the last step.</p>\n'
  printf '<h2>Steps</h2><div class="wide"><table><thead><tr><th>STEP</th><th>STATE</th><th>TIME</th><th>MESSAGE</th></tr></thead><tbody>\n'
  sed -n '
    s/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g
    s/^ *"\([a-z0-9_]*\)": {"state": "\([a-z]*\)", "time": "\([^"]*\)", "message": "\([^"]*\)"},\{0,1\}$/<tr><td>\1<\/td><td class="state \2">\2<\/td><td>\3<\/td><td class="message">\4<\/td><\/tr>/
    t row
    d
    :row
    s/class="state done"/class="state ok"/; s/class="state running"/class="state warn"/
    s/class="state failed"/class="state fail"/; s/class="state \(pending\|skipped\)"/class="state skip"/
    p
  ' status.json
  printf '</tbody></table></div></body></html>\n'
}

read -r method path _ || exit 0
# Read the rest of the head, or the answer would be cut off.
while read -r line; do
  if [ "${line%"$carriage"}" = "" ]; then break; fi
done
case $method in GET | HEAD) ;; *)
  echo 'this page can only be read' | answer '405 Method Not Allowed' text/plain
  exit 0
  ;;
esac
case $path in
  /) page | answer '200 OK' text/html ;;
  /status.json) answer '200 OK' application/json <status.json ;;
  *) echo 'there is / and /status.json' | answer '404 Not Found' text/plain ;;
esac
