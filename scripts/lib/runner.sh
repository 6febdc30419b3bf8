# The first part of every remote script. It arrives on stdin of `sh -s`; the command text has already exported the arguments.
# It writes what follows to files on the machine (secrets with mode 0600, never in an argument or the environment). main() runs
# the task detached from the connection: if the client dies, the task still finishes, and the next run waits for its lock.
set -eu
umask 077
# NixOS has its commands in the last folder. A command in a guest gets the same list.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
export PATH LC_ALL=C
unset CDPATH
# They become file names.
case $STEP$LOCK in *[!A-Za-z0-9_-]*) exit 64 ;; esac
WORK=$(mktemp -d /run/proxmox-k3s.XXXXXXXX)
RUNNER=$$
LOG_DIR=/var/log/proxmox-k3s
LOG=$LOG_DIR/$STEP.log
# Not /run/lock, because every user of the machine may create files there.
LOCKS=/run/proxmox-k3s.locks
export WORK RUNNER LOG

# If the text arrives incomplete, it ends without a call of main: nothing was done, so this is a failure. While the task runs,
# $WORK belongs to the task, which removes it if this runner is gone (lib/task.sh).
stage=reading
# shellcheck disable=SC2317 # called by the trap
clean_up() {
  status=$?
  if [ "$stage" != running ]; then rm -rf "$WORK"; fi
  if [ "$stage" = reading ] && [ "$status" -eq 0 ]; then
    printf 'error: %s: the script arrived incomplete, so it was not run\n' "$STEP" >&2
    status=70
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP
trap 'exit 141' PIPE

main() {
  mkdir -p "$LOG_DIR" "$LOCKS"
  if [ -f "$LOG" ]; then mv -f "$LOG" "$LOG.1"; fi
  : >"$LOG"
  stage=running
  # The time limit includes the wait for the lock. 75 means that the lock was busy, not that the task failed.
  setsid timeout -k 15 "$BOUND" \
    flock -o -E 75 -w "$BOUND" "$LOCKS/$LOCK" sh "$WORK/task" >"$LOG" 2>&1 </dev/null &
  task=$!
  tail -n +1 -s 0.1 -f --pid="$task" "$LOG" >&2 &
  follower=$!
  status=0
  wait "$task" || status=$?
  wait "$follower" || :
  stage=ended
  case $status in
    0)
      if [ -s "$WORK/outcome" ]; then cat "$WORK/outcome"; fi
      # Callers require this line, so that a script that did not run never counts as done.
      printf 'proxmox-k3s: %s %s done\n' "$STEP" "$ACTION"
      ;;
    124 | 137)
      printf 'error: %s: not finished within %s s; the last lines above say what it waited for\n' "$STEP" "$BOUND" >&2
      printf 'next:  read %s on this machine, then run pulumi up again: every step resumes\n' "$LOG" >&2
      ;;
    75) printf 'error: %s: another run of this program holds the lock %s\n' "$STEP" "$LOCK" >&2 ;;
  esac
  exit "$status"
}
