#!/bin/sh
# pct of the lab's Proxmox host. This script has the most frequent commands, and those that must pass on stdin, terminal and
# exit code unchanged. pct.ts has the rest, by calls of the API.
set -eu

fail() {
  echo "$1" >&2
  exit 255
}

check_exists() {
  case $1 in '' | *[!0-9]*) fail "400 Parameter verification failed.
vmid: type check ('integer') failed - got '$1'" ;; esac
  [ -f "/etc/pve/lxc/$1.conf" ] || fail "Configuration file 'nodes/pve/lxc/$1.conf' does not exist"
}

is_running() {
  [ -f "/var/lib/lxc/$1/config" ] && [ "$(lxc-info -n "$1" -s -H)" = RUNNING ]
}

case ${1:-} in
  exec)
    shift
    env=--keep-env
    vmid=
    # Options may come before and after the VMID; the command begins at `--` or at the second word.
    while [ $# -gt 0 ]; do
      case $1 in
        --keep-env | -keep-env)
          [ "${2:-}" = 0 ] && env=--clear-env
          shift 2
          ;;
        --keep-env=0 | -keep-env=0) env=--clear-env && shift ;;
        --keep-env=1 | -keep-env=1) shift ;;
        --)
          shift
          break
          ;;
        *)
          if [ -n "$vmid" ]; then break; fi
          vmid=$1
          shift
          ;;
      esac
    done
    check_exists "$vmid"
    is_running "$vmid" || fail "container '$vmid' not running!"
    [ $# -gt 0 ] || fail "missing command"
    unset SSL_CERT_FILE SSL_CERT_DIR
    exec lxc-attach -n "$vmid" "$env" -- "$@"
    ;;
  enter)
    check_exists "${2:-}"
    is_running "$2" || fail "container '$2' not running!"
    unset SSL_CERT_FILE SSL_CERT_DIR
    exec lxc-attach -n "$2" --clear-env
    ;;
  status)
    if [ $# -eq 2 ]; then
      check_exists "$2"
      if is_running "$2"; then echo "status: running"; else echo "status: stopped"; fi
      exit 0
    fi
    ;;
esac
exec node /usr/share/lab/pct.cjs "$@"
