# The progress of a node's onboarding, for people and programs. Runs on the node itself. Input: NAME.
# status.json has one step per line and is replaced by rename, so a reader never sees half of it, and a kill leaves the former one.

ONBOARDING=/opt/k3s-onboarding
ONBOARDING_STEPS='packages_installed iscsi_enabled k3s_installed cluster_joined node_labeled health_check_ready'

# shown TEXT: on one line, printable, without a character that JSON escapes. Everybody may read it, so it must not
# have a secret of the node.
shown() {
  text=$(printf '%s' "$1" | LC_ALL=C tr '\n\t\042\134' "  '/" | LC_ALL=C tr -c ' -~' '?' | cut -c 1-600)
  for secret in "${WORK:-/none}"/secret.* /etc/rancher/k3s/*token; do
    if [ -s "$secret" ] && printf '%s\n' "$text" | grep -qFf "$secret"; then text='not shown, because it holds a secret'; fi
  done
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
  (umask 022 && mkdir -p "$ONBOARDING" && chmod 0755 "$ONBOARDING") 2>/dev/null || return 0
  (
    # Two steps may report at the same time.
    flock -w 10 9 || exit 0
    time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    while [ $# -ge 3 ]; do
      printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$time" "$(shown "$3")"
      shift 3
    done >"$ONBOARDING/.news"
    { reported; cat "$ONBOARDING/.news"; } | awk -F '\t' -v node="$NAME" -v steps="$ONBOARDING_STEPS" '
      { state[$1] = $2; time[$1] = $3; message[$1] = $4 }
      END {
        count = split(steps, step, " ")
        printf "{\n  \"node\": \"%s\",\n  \"steps\": {\n", node
        for (i = 1; i <= count; i++)
          printf "    \"%s\": {\"state\": \"%s\", \"time\": \"%s\", \"message\": \"%s\"}%s\n", step[i],
            (step[i] in state) ? state[step[i]] : "pending", time[step[i]], message[step[i]], i < count ? "," : ""
        printf "  }\n}\n"
      }' >"$ONBOARDING/.status.json"
    # A full disk truncates the file.
    if [ "$(tail -n 1 "$ONBOARDING/.status.json")" = '}' ]; then
      chmod 0644 "$ONBOARDING/.status.json"
      mv -f "$ONBOARDING/.status.json" "$ONBOARDING/status.json"
    fi
    awk -F '\t' '{ print $3, $1, $2 ": " $4 }' "$ONBOARDING/.news" >>"$ONBOARDING/onboarding.log"
    chmod 0644 "$ONBOARDING/onboarding.log"
    if grep -q "^health_check_ready$(printf '\t')done" "$ONBOARDING/.news"; then end_page; fi
    rm -f "$ONBOARDING/.news" "$ONBOARDING/.status.json"
  ) 9>"$ONBOARDING/.lock" 2>/dev/null || :
}
