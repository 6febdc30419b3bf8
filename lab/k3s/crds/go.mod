module proxmox-k3s/lab/k3s/crds

go 1.26.0

require github.com/k3s-io/helm-controller v0.17.9
