# What the administrator's scripts share. `init` runs them as root over the person's own SSH, not through the gate.

RECORDS=/var/lib/proxmox-k3s/init

fail() { # fail CAUSE NEXT
  printf 'error: %s\nnext:  %s\n' "$1" "$2" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "$(id -un) is not root on this host" "log in as root: npx proxmox-k3s init root@HOST"
command -v pvesh >/dev/null || fail "this is no Proxmox VE host: there is no command pvesh" "name the Proxmox host: npx proxmox-k3s init root@HOST"
# The name becomes the name of a file.
case ${CLUSTER-} in *[!a-z0-9-]* | -*) fail "$CLUSTER is not the name of a cluster" "name it with --name, as init was given it" ;; esac

refuse() { # refuse VERB PATH…: pvesh failed, and said why
  fail "pvesh $1 $2: $(printf '%s' "$said" | paste -sd ' ' -)" "fix the cause on the host, then run the command again: it goes on where it stopped"
}

# Only these words mean that there is no such thing. After any other failure nothing is known, so the step fails: a check must not
# pass if it could not read.
is_missing() { printf '%s' "$said" | grep -qE 'does not exist|no such (user|token)'; }

# ask PATH [OPTION…]: the API's answer as one line of JSON, with sorted keys; nothing if there is no such thing. Put its answer into a
# variable, because a pipeline would lose its failure.
ask() {
  { said=$(pvesh get "$@" --output-format json 2>&1 >&3) || is_missing || refuse get "$@"; } 3>&1
}

there() {
  said=$(pvesh get "$@" --output-format json 2>&1 >/dev/null) && return
  is_missing || refuse get "$@"
  return 1
}

change() { # change VERB PATH [OPTION…]: a call that changes something
  said=$(pvesh "$@" --output-format json 2>&1 >/dev/null) || refuse "$@"
}

tell() { # tell MADE|STANDS|DIFFERS|REMOVED|KEPT WHAT
  printf '%s\t%s\n' "$1" "$2"
}

# note FILE LINE: adds a thing that was not there before to the record. Note it before you make it: after a kill the record has at most
# one thing too many, and the removal of something that is not there does nothing.
note() {
  mkdir -p "$RECORDS"
  grep -qxF -- "$2" "$RECORDS/$1" 2>/dev/null || printf '%s\n' "$2" >>"$RECORDS/$1"
}

# forget FILE LINE: it was not made. If somebody makes it later, it is theirs.
forget() {
  grep -vxF -- "$2" "$RECORDS/$1" >"$RECORDS/.new" || :
  mv -f "$RECORDS/.new" "$RECORDS/$1"
}

# noted FILE LINE VERB PATH [OPTION…]: notes a thing and makes it; prints the API's answer.
noted() {
  file=$1 line=$2
  shift 2
  note "$file" "$line"
  { said=$(pvesh "$@" --output-format json 2>&1 >&3) && return; } 3>&1
  forget "$file" "$line"
  refuse "$@"
}

granted() { # granted PATH USER ROLE
  answer=$(ask /access/acl) || exit
  printf '%s' "$answer" | tr '{' '\n' | grep -F "\"path\":\"$1\"" | grep -F "\"roleid\":\"$3\"" | grep -qF "\"ugid\":\"$2\""
}

members() { # members POOL: the guests in it
  answer=$(ask /pools --poolid "$1") || exit
  printf '%s' "$answer" | grep -o '"vmid":"\{0,1\}[0-9]*' | grep -o '[0-9]*$' | paste -sd ' ' -
}

# The cluster's pools: POOL, and those of its record, because the cluster may run in a pool with another name.
pools() {
  {
    printf '%s\n' "$POOL"
    sed -nE 's#^(pool |grant /pool/)([^ ]+).*#\2#p' "$RECORDS/$CLUSTER" 2>/dev/null || :
  } | sort -u
}

inhabited() { # which of the cluster's pools have guests; nothing if none has
  found=''
  for one in $(pools); do
    vmids=$(members "$one") || exit
    [ -z "$vmids" ] || found="${found:+$found; }the pool $one has guests: $vmids"
  done
  printf '%s' "$found"
}
