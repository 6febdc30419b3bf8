# Completes proxmox-k3s in zsh, also after npx. `npx proxmox-k3s completion zsh` prints it; read it after compinit.
_proxmox_k3s() {
  local first=2
  if [[ $words[1] == npx ]]; then
    if (( CURRENT == 2 )); then compadd proxmox-k3s; return; fi
    if [[ $words[2] != proxmox-k3s ]]; then _default; return; fi
    first=3
  fi
  local -a answers values lines
  answers=("${(@f)$(printf '%s\n' '@TABLE@' "${(@)words[first,CURRENT-1]}" "$PREFIX" | awk '@ANSWERS@')}")
  if [[ -z $answers ]]; then _default; return; fi
  values=("${(@)answers%%$'\t'*}")
  lines=("${(@)answers/$'\t'/  }")
  compadd -l -d lines -a values
}
compdef _proxmox_k3s proxmox-k3s npx
