# onboarding (Proxmox host): the progress of the onboarding of our guests. Changes nothing. Input: CLUSTER_ID. Answers one line per guest:
#   onboarding NAME BASE64|- [joined]     its status.json; - for a guest that has none yet, or does not answer; joined: K3s has started
#                                         there before

GUEST_BOUND=10

look_at() {
  trusts "$1" "$2" || return 0
  # shellcheck disable=SC2016 # the guest's values
  said=$(guest_exec "$1" sh -c 'report=$(head -c 8192 /opt/k3s-onboarding/status.json | base64 -w 0); printf %s "${report:--}"; [ ! -e /var/lib/proxmox-k3s/started ] || printf " joined"' 2>/dev/null |
    grep -xE '([A-Za-z0-9+/]+=*|-)( joined)?' | tr ' ' '\t' || :)
  printf 'onboarding\t%s\t%s\n' "$2" "${said:--}"
}

list_guests
ask_all look_at look_at >"$WORK/outcome"
