# Which step of the onboarding a task is at: if the task fails, the report says so, with its cause. Needs `progress`.

DOING=
# doing STEP MESSAGE
doing() {
  DOING=$1
  progress "$1" running "$2"
}

# last_error: what the task has printed last as its error, with the next step.
last_error() {
  awk -v "own=error: $STEP: " '
    /^error: / { text = ""; found = 1; if (index($0, own) == 1) $0 = substr($0, length(own) + 1) }
    found && NF { $1 = $1; text = text (text == "" ? "" : " ") $0 }
    END { print text }
  ' "${LOG:-/dev/null}"
}
# runs_on: on the node itself, which has joined before. On the Proxmox host this is a folder.
# shellcheck disable=SC2317 # called by the trap
runs_on() { [ -f /var/lib/proxmox-k3s/started ] && systemctl is-active -q k3s k3s-agent 2>/dev/null; }
# shellcheck disable=SC2317
note_failure() {
  if [ "$1" -eq 0 ] || [ -z "$DOING" ]; then return 0; fi
  why=$(last_error)
  if [ -n "$why" ] && runs_on; then
    progress "$DOING" "done" "runs on; the last change was refused: $why"
    return 0
  fi
  progress "$DOING" failed "${why:-it was interrupted (exit code $1); pulumi up goes on with it}"
}
trap 'note_failure $?; clean_up' EXIT
