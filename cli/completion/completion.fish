# Completes proxmox-k3s in fish, also after npx. `npx proxmox-k3s completion fish` prints it.
function __proxmox_k3s_answers
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    if test "$typed[1]" = npx
        set -e typed[1]
    end
    set -l answers (printf '%s\n' '@TABLE@' $typed[2..] "$current" | awk '@ANSWERS@')
    if set -q answers[1]
        printf '%s\n' $answers
    else
        __fish_complete_path "$current"
    end
end
function __proxmox_k3s_after_npx
    set -l typed (commandline -opc)
    test "$typed[2]" = proxmox-k3s
end
complete -c proxmox-k3s -f -a '(__proxmox_k3s_answers)'
complete -c npx -n __proxmox_k3s_after_npx -f -a '(__proxmox_k3s_answers)'
complete -c npx -n 'test (count (commandline -opc)) -eq 1' -a proxmox-k3s
