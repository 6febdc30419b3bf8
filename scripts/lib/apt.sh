# Installs Debian packages with apt, and tries again if that can help. Input: DEADLINE (s, for all tries together).

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || :)" = installed ]; }

# apt_run COMMAND…: runs without questions. needrestart must not restart other services.
APT=$WORK/apt
apt_run() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 timeout -k 10 "$(left)" "$@" </dev/null >"$APT" 2>&1
}
apt_get() {
  apt_run apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=20 -o Acquire::Retries=0 -o Acquire::http::Timeout=20 \
    -o Acquire::https::Timeout=20 -o APT::Update::Error-Mode=any -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}
# left: seconds until the deadline, at least 1.
left() {
  rest=$((DEADLINE - ($(now) - apt_began)))
  if [ "$rest" -gt 0 ]; then echo "$rest"; else echo 1; fi
}

# apt_once PACKAGE…: one try. A try that was killed may have left packages half installed.
apt_once() { apt_run dpkg --force-confdef --force-confold --configure -a && apt_get update && apt_get install "$@"; }

# failure_class: the kind of the last failure, by apt's output. The order matters: if a mirror fails, its packages are unknown too.
failure_class() {
  said() { grep -qiE -- "$1" "$APT"; }
  # answered CODE: a mirror answered with it. Search only errors and the indented lines below them, because other lines have sizes.
  answered() { awk '{ wrong = /^(E|W|Err|dpkg):/ || (wrong && /^ /) } wrong' "$APT" | grep -qiE -- "$1"; }
  if said 'No space left on device|enough free space'; then echo space
  elif said 'is not valid yet|is expired'; then echo clock
  elif said 'NO_PUBKEY|EXPKEYSIG|REVKEYSIG|BADSIG|GPG error|is not signed|unauthenticated'; then echo signature
  elif said 'Could not get lock|Unable to acquire the dpkg frontend lock|is another process using it|locked by another process'; then echo lock
  elif said 'Temporary failure resolving|Could not resolve'; then echo dns
  elif answered '(^|[^0-9])5[0-9][0-9] +[A-Z]' || said 'Hash Sum mismatch|File has unexpected size'; then echo mirror
  elif said 'Could not connect|Unable to connect|Cannot initiate the connection|Connection (failed|timed out|refused|reset)|Network is unreachable|No route to host|Error reading from server|Undetermined Error'; then echo network
  elif said 'Unable to locate package|has no installation candidate|Couldn.t find any package'; then echo unknown
  elif answered ' 4[0-9][0-9] +[A-Z]' || said 'does not have a Release file'; then echo refused
  else echo other; fi
}

# apt_next CLASS: for people, what to do about it.
apt_next() {
  case $1 in
    space) echo 'give the node a larger disk (disk of its pool), or make room there' ;;
    clock) echo "set the node's clock: timedatectl there, and the clock of the Proxmox host for a container" ;;
    signature) echo "install the key of that archive on the node, or remove the archive from /etc/apt" ;;
    lock) echo 'wait until the other apt on the node has ended: ps aux | grep -E "apt|dpkg" there shows it' ;;
    dns) echo 'set network.nameservers to DNS servers that the node reaches' ;;
    slow) echo 'see that the node reaches its mirror fast enough, or set another one in /etc/apt there' ;;
    mirror) echo 'wait until the mirror works again, or set another one in /etc/apt on the node' ;;
    network) echo 'see that the node reaches its mirror (route, proxy, firewall): its address is in /etc/apt there' ;;
    unknown) echo 'correct packages of the pool: apt-cache policy NAME on the node shows whether a package exists' ;;
    refused) echo 'set a mirror in /etc/apt on the node that has this release' ;;
    *) echo 'fix what the lines above say' ;;
  esac
}
apt_words() { { grep -E '^(E|W|Err|dpkg): ?|^Err:' "$APT" || tail -n 3 "$APT"; } | cut -c 1-300 | tail -n 3 | tr '\n' ' ' | sed 's/ *$//'; }

# full_jitter TRY: a random number of seconds to wait. The limit doubles with each try. So nodes that failed together do not try
# again together.
full_jitter() {
  most=60
  if [ "$1" -lt 5 ]; then most=$((2 << $1)); fi
  echo $(($(od -An -N2 -tu2 /dev/urandom) % (most + 1)))
}

# apt_install PACKAGE…
apt_install() {
  apt_began=$(now)
  tries=0
  until apt_once "$@"; do
    class=$(failure_class)
    # The deadline ended it.
    if [ "$class" = other ] && [ "$(left)" -le 1 ]; then class=slow; fi
    words=$(apt_words)
    tail -n 20 "$APT" | cut -c 1-300
    case $class in
      lock | dns | mirror | network | slow) ;;
      *) fail "apt could not install $* on $NAME: ${words:-it printed no error}" "$(apt_next "$class"); then pulumi up" ;;
    esac
    tries=$((tries + 1))
    pause=$(full_jitter "$tries")
    # One second is too short for a try.
    if [ "$pause" -ge $(($(left) - 1)) ]; then
      fail "apt could not install $* on $NAME within $DEADLINE s, in $tries tries${words:+: $words}" "$(apt_next "$class"); then pulumi up"
    fi
    say "try $tries failed ($class); the next try is in $pause s"
    sleep "$pause"
  done
}
