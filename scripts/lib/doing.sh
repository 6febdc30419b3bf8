# Notes which step of the onboarding a task is at. If the task fails, the report shows the failure of this step with its cause. Needs
# `progress`.

DOING=
# doing STEP MESSAGE
doing() {
  DOING=$1
  progress "$1" running "$2"
}

# last_error: the last error that the task has printed, with its next step.
last_error() {
  awk -v "own=error: $STEP: " '
    /^error: / { text = ""; found = 1; if (index($0, own) == 1) $0 = substr($0, length(own) + 1) }
    found && NF { $1 = $1; text = text (text == "" ? "" : " ") $0 }
    END { print text }
  ' "${LOG:-/dev/null}"
}
# runs_on: this is a node that has joined before, and its K3s still runs. On the Proxmox host, `started` is a folder.
# shellcheck disable=SC2317 # called by the trap
runs_on() { [ -f /var/lib/proxmox-k3s/started ] && systemctl is-active -q k3s k3s-agent 2>/dev/null; }
# shellcheck disable=SC2317
note_failure() {
  if [ "$1" -eq 0 ] || [ -z "$DOING" ]; then return 0; fi
  why=$(last_error)
  if [ -n "$why" ] && runs_on; then
    progress "$DOING" "done" "still runs; the last change was refused: $why"
    return 0
  fi
  progress "$DOING" failed "${why:-it was interrupted (exit code $1); pulumi up continues it}"
}
trap 'note_failure $?; clean_up' EXIT
