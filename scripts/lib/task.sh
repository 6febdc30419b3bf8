# Shared by all tasks; comes before the task in $WORK/task.
set -eu
umask 077

# Removes the secrets when the task ends, and everything if the connection that started it is gone.
clean_up() {
  rm -f "$WORK"/secret.*
  kill -0 "$RUNNER" 2>/dev/null || rm -rf "$WORK"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

say() { printf '%s\n' "$*"; }

# outcome TEXT: the line or document that the step answers on stdout.
outcome() { printf '%s\n' "$*" >"$WORK/outcome"; }

# fail CAUSE [NEXT]: ends the step with its name, the cause and the next step. It prints to stderr, so that a caller that reads
# an answer from stdout does not hide it.
fail() {
  printf '\nerror: %s: %s\n' "$STEP" "$1" >&2
  if [ -n "${2:-}" ]; then printf 'next:  %s\n' "$2" >&2; fi
  exit 1
}

# number TEXT: TEXT if it is a whole number, else 0. Output of a guest is data and must be checked.
number() { case $1 in *[!0-9]* | '' | ??????????*) echo 0 ;; *) echo "$1" ;; esac; }

# now: seconds of a clock that time synchronization does not change.
now() { IFS=. read -r seconds_up _ </proc/uptime && printf '%s\n' "$seconds_up"; }
# now_cs: the same clock in hundredths of a second.
now_cs() { read -r seconds_up _ </proc/uptime && printf '%s\n' "${seconds_up%.*}${seconds_up#*.}"; }

# install_file MODE FILE TARGET: installs FILE if it differs; answers 0 if it changed something.
install_file() {
  if cmp -s "$2" "$3"; then return 1; fi
  mkdir -p "${3%/*}"
  install -m "$1" "$2" "$3.new"
  mv -f "$3.new" "$3"
}
