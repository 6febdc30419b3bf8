# Makes the cluster's API token and prints its secret, which Proxmox VE shows once. CLUSTER POOL API_USER TOKEN HAS_SECRET (yes or no)

umask 077
path=/access/users/$API_USER/token/$TOKEN
line="token $API_USER $TOKEN"
if there "$path"; then
  # The doctor checks whether the stack still has the right secret.
  [ "$HAS_SECRET" = no ] || exit 0
  grep -qxF "$line" "$RECORDS/$CLUSTER" 2>/dev/null || fail "the API token $API_USER!$TOKEN is on the host, and init did not make it" \
    "if you have its secret: pulumi config set --secret proxmoxApiToken; if nobody needs it: pveum user token remove $API_USER $TOKEN; then run the command again"
  guests=$(inhabited)
  [ -z "$guests" ] || fail "this stack has no token, and the API token $API_USER!$TOKEN may be in use: $guests" \
    "take the stack from the machine where the cluster was made (docs/second-machine.md); or set its token: pulumi config set --secret proxmoxApiToken"
  # A former run was interrupted before the secret was in the stack's config.
  change delete "$path"
fi
answer=$(noted "$CLUSTER" "$line" create "$path" --privsep 0 --comment "K3s cluster $CLUSTER")
printf '%s' "$answer" | sed -n 's/.*"value":"\([^"]*\)".*/\1/p'
