# What the administrator's scripts share. `init` runs them as root over the person's own SSH, not through the gate.

RECORDS=/var/lib/proxmox-k3s/init

fail() { # fail CAUSE NEXT
  printf 'error: %s\nnext:  %s\n' "$1" "$2" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "$(id -un) is not root on this host" "log in as root: npx proxmox-k3s init root@HOST"
command -v pvesh >/dev/null || fail "this is no Proxmox VE host: there is no command pvesh" "name the Proxmox host: npx proxmox-k3s init root@HOST"

# ask PATH [OPTION…]: the API's answer as one line of JSON, with sorted keys; nothing if there is no such thing.
ask() { pvesh get "$@" --output-format json 2>/dev/null || :; }
there() { pvesh get "$@" --output-format json >/dev/null 2>&1; }

# change VERB PATH [OPTION…]: a call that changes something. What the API says is shown if it fails.
change() {
  if ! said=$(pvesh "$@" --output-format json 2>&1 >/dev/null); then
    fail "pvesh $1 $2: $(printf '%s' "$said" | paste -sd ' ' -)" "fix the cause on the host, then run the command again: it goes on where it stopped"
  fi
}

tell() { # tell MADE|STANDS|DIFFERS|REMOVED|KEPT WHAT
  printf '%s\t%s\n' "$1" "$2"
}

# note FILE LINE: into the record of what was not there before. It comes before the thing itself: after a kill the record has
# at most one thing too many, and the removal of something that is not there does nothing.
note() {
  mkdir -p "$RECORDS"
  grep -qxF -- "$2" "$RECORDS/$1" 2>/dev/null || printf '%s\n' "$2" >>"$RECORDS/$1"
}

granted() { # granted PATH USER ROLE
  ask /access/acl | tr '{' '\n' | grep -F "\"path\":\"$1\"" | grep -F "\"roleid\":\"$3\"" | grep -qF "\"ugid\":\"$2\""
}

members() { # members POOL: the guests in it
  ask "/pools/$1" | grep -o '"vmid":"\{0,1\}[0-9]*' | grep -o '[0-9]*$' | paste -sd ' ' -
}
