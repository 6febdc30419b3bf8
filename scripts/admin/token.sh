# Makes the cluster's API token and prints its secret, which Proxmox VE shows once. CLUSTER POOL API_USER TOKEN

umask 077
path=/access/users/$API_USER/token/$TOKEN
if there "$path"; then
  grep -qxF "token $API_USER $TOKEN" "$RECORDS/$CLUSTER" 2>/dev/null || fail "the API token $API_USER!$TOKEN is on the host, and init did not make it" \
    "if you have its secret: pulumi config set --secret proxmoxApiToken; if nobody needs it: pveum user token remove $API_USER $TOKEN; then run the command again"
  guests=$(members "$POOL")
  [ -z "$guests" ] || fail "the API token $API_USER!$TOKEN may be in use: the pool $POOL has guests ($guests), and this stack has no token" \
    "take the stack from the machine where the cluster was made (README, \"From a second machine\"); or set its token: pulumi config set --secret proxmoxApiToken"
  # A former run was cut off before its secret was in the stack's config.
  change delete "$path"
fi
note "$CLUSTER" "token $API_USER $TOKEN"
answer=$(pvesh create "$path" --privsep 0 --comment "K3s cluster $CLUSTER" --output-format json) ||
  fail "the API token $API_USER!$TOKEN was not made" "fix the cause on the host, then run the command again"
printf '%s' "$answer" | sed -n 's/.*"value":"\([^"]*\)".*/\1/p'
