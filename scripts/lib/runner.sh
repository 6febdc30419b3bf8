# Head of every remote script: it arrives on stdin of `sh -s`, with the arguments already exported by the command text.
# It puts what follows on the machine (secrets as 0600 files, never in an argument or an environment), and main() runs
# the task detached from the connection: a client that dies does not cut a change in half, and the next run waits for
# its lock.
set -eu
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
unset CDPATH
WORK=$(mktemp -d /run/proxmox-k3s.XXXXXXXX)
RUNNER=$$
LOG_DIR=/var/log/proxmox-k3s
LOG=$LOG_DIR/$STEP.log
export WORK RUNNER LOG

main() {
  mkdir -p "$LOG_DIR" /run/lock
  if [ -f "$LOG" ]; then mv -f "$LOG" "$LOG.1"; fi
  : >"$LOG"
  # The bound also covers the wait for the lock. 75 tells a busy lock from a failure of the task.
  setsid timeout -k 15 "$BOUND" \
    flock -o -E 75 -w "$BOUND" "/run/lock/proxmox-k3s-$LOCK.lock" sh "$WORK/task" >"$LOG" 2>&1 </dev/null &
  task=$!
  tail -n +1 -s 0.1 -f --pid="$task" "$LOG" >&2 &
  follower=$!
  status=0
  wait "$task" || status=$?
  wait "$follower" || :
  case $status in
    0) if [ -s "$WORK/outcome" ]; then cat "$WORK/outcome"; fi ;;
    124 | 137)
      printf 'error: %s: not finished within %s s; the last lines above say what it waited for\n' "$STEP" "$BOUND" >&2
      printf 'next:  read %s on this machine, then run pulumi up again: every step resumes\n' "$LOG" >&2
      ;;
    75) printf 'error: %s: another run of this program holds the lock %s\n' "$STEP" "$LOCK" >&2 ;;
  esac
  rm -rf "$WORK"
  exit "$status"
}
