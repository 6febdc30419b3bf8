# Completes proxmox-k3s in bash, also after npx. `npx proxmox-k3s completion bash` prints it.
_proxmox_k3s() {
  local first=1 word
  COMPREPLY=()
  if [[ ${COMP_WORDS[0]} == npx ]]; then
    if ((COMP_CWORD == 1)) && [[ proxmox-k3s == "${COMP_WORDS[1]}"* ]]; then COMPREPLY=(proxmox-k3s); fi
    if ((COMP_CWORD == 1)) || [[ ${COMP_WORDS[1]} != proxmox-k3s ]]; then return; fi
    first=2
  fi
  while IFS=$'\t' read -r word _; do COMPREPLY+=("$word"); done < <(
    printf '%s\n' '@TABLE@' "${COMP_WORDS[@]:first:COMP_CWORD-first+1}" | awk '@ANSWERS@'
  )
}
complete -o default -F _proxmox_k3s proxmox-k3s npx
