# The progress of a node's onboarding, for people and programs. Runs on the node itself. Input: NAME.
# status.json has one step per line and is replaced by rename, so a reader never sees half of it, and a kill leaves the former one.

ONBOARDING=/opt/k3s-onboarding
ONBOARDING_STEPS='packages_installed iscsi_enabled k3s_installed cluster_joined node_labeled health_check_ready'

# is_plain TEXT: it needs no change. Most texts do not, and each program takes a moment from a K3s that is starting.
is_plain() {
  case $1 in *[!\ -~]* | *[\"\\]*) return 1 ;; esac
  [ ${#1} -le 600 ]
}
# shown TEXT: on one line, printable, without a character that JSON escapes. Everybody may read it, so it must not
# have a secret of the node.
shown() {
  text=$1
  is_plain "$text" || text=$(printf '%s' "$text" | LC_ALL=C tr '\n\t\042\134' "  '/" | LC_ALL=C tr -c ' -~' '?' | cut -c 1-600)
  set --
  for secret in "${WORK:-/none}"/secret.* /etc/rancher/k3s/*token; do
    if [ -s "$secret" ]; then set -- "$@" -f "$secret"; fi
  done
  if [ $# -gt 0 ] && printf '%s\n' "$text" | grep -qF "$@"; then text='not shown, because it holds a secret'; fi
  printf '%s' "$text"
}

# reported: the steps of status.json that have begun, "step state time message", separated by tabs.
reported() {
  tab=$(printf '\t')
  sed -n "s/^ *\"\([a-z0-9_]*\)\": {\"state\": \"\([a-z]*\)\", \"time\": \"\([0-9TZ:-]\{1,\}\)\", \"message\": \"\([^\"]*\)\"},\{0,1\}\$/\1$tab\2$tab\3$tab\4/p" \
    "$ONBOARDING/status.json" 2>/dev/null || :
}
# shellcheck disable=SC2317 # not every task asks
state_of() { reported | awk -F '\t' -v step="$1" '$1 == step { print $2 }'; }

# end_page: ends the page a minute after the last step, so that people who watch it see the result.
end_page() {
  if [ -e /run/systemd/system/k3s-onboarding.socket ]; then
    systemd-run -q --on-active=60 --unit=k3s-onboarding-end sh "$ONBOARDING/end-page.sh"
  fi
}

# progress STEP running|done|skipped|failed MESSAGE [STEP STATE MESSAGE]…: never fails a step, because this is only a report.
# shellcheck disable=SC2120 # one that only begins the report has no arguments
progress() {
  # A task has umask 077, and NixOS has no /opt, which others use too.
  [ -d "$ONBOARDING" ] || (umask 022 && mkdir -p "$ONBOARDING") 2>/dev/null || return 0
  (
    umask 022
    # Two steps may report at the same time.
    flock -w 10 9 || exit 0
    time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    news=
    while [ $# -ge 3 ]; do
      message=$(shown "$3")
      news="$news$(printf '\n%s\t%s\t%s\t%s' "$1" "$2" "$time" "$message")"
      printf '%s %s %s: %s\n' "$time" "$1" "$2" "$message" >>"$ONBOARDING/onboarding.log"
      shift 3
    done
    # A full disk truncates the file; then awk fails.
    if { reported; printf '%s\n' "$news"; } | awk -F '\t' -v node="$NAME" -v steps="$ONBOARDING_STEPS" '
      NF == 4 { state[$1] = $2; time[$1] = $3; message[$1] = $4 }
      END {
        count = split(steps, step, " ")
        printf "{\n  \"node\": \"%s\",\n  \"steps\": {\n", node
        for (i = 1; i <= count; i++)
          printf "    \"%s\": {\"state\": \"%s\", \"time\": \"%s\", \"message\": \"%s\"}%s\n", step[i],
            (step[i] in state) ? state[step[i]] : "pending", time[step[i]], message[step[i]], i < count ? "," : ""
        printf "  }\n}\n"
      }' >"$ONBOARDING/.status.json"; then
      mv -f "$ONBOARDING/.status.json" "$ONBOARDING/status.json"
    else
      rm -f "$ONBOARDING/.status.json"
    fi
    case $news in *"health_check_ready$(printf '\t')done"*) end_page ;; esac
  ) 9>"$ONBOARDING/.lock" 2>/dev/null || :
}
