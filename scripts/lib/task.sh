# Common to all tasks; stands before the task in $WORK/task.
set -eu
umask 077

# Secrets never outlive the task, and nothing does when the connection that started it is gone.
clean_up() {
  rm -f "$WORK"/secret.*
  kill -0 "$RUNNER" 2>/dev/null || rm -rf "$WORK"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

say() { printf '%s\n' "$*"; }

# outcome TEXT: the one line (or document) that the step answers on stdout.
outcome() { printf '%s\n' "$*" >"$WORK/outcome"; }

# fail CAUSE [NEXT]: ends the step with its name, the cause and what to do next; on stderr, so that a caller which reads an
# answer does not swallow it.
fail() {
  printf '\nerror: %s: %s\n' "$STEP" "$1" >&2
  if [ -n "${2:-}" ]; then printf 'next:  %s\n' "$2" >&2; fi
  exit 1
}

# number TEXT: TEXT where it is a whole number, else 0. What a guest says is data.
number() { case $1 in *[!0-9]* | '' | ??????????*) echo 0 ;; *) echo "$1" ;; esac; }

# now: seconds of a clock that no time sync moves.
now() { cut -d. -f1 /proc/uptime; }

# install_file MODE FILE TARGET: puts FILE in place when it differs; answers 0 when it changed something.
install_file() {
  if cmp -s "$2" "$3"; then return 1; fi
  mkdir -p "$(dirname "$3")"
  install -m "$1" "$2" "$3.new"
  mv -f "$3.new" "$3"
}
