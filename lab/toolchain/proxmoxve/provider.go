package main

import (
	"context"

	"github.com/bpg/terraform-provider-proxmox/fwprovider"
	"github.com/bpg/terraform-provider-proxmox/proxmoxtf/provider"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// resources maps Terraform's names to the npm package's tokens. What is not listed is left out.
var resources = map[string]tokens.Type{
	"proxmox_virtual_environment_container": "proxmoxve:index/containerLegacy:ContainerLegacy",
	"proxmox_virtual_environment_vm":        "proxmoxve:index/vmLegacy:VmLegacy",
	"proxmox_virtual_environment_file":      "proxmoxve:index/fileLegacy:FileLegacy",
	"proxmox_virtual_environment_pool":      "proxmoxve:index/poolLegacy:PoolLegacy",
	"proxmox_download_file":                 "proxmoxve:download/file:File",
}

// providerInfo joins the provider's two halves, on Terraform's SDK and on its framework, and names the resources.
func providerInfo(metadata []byte) tfbridge.ProviderInfo {
	sdkHalf := shimv2.NewProvider(provider.ProxmoxVirtualEnvironment())
	joined := pf.MuxShimWithPF(context.Background(), sdkHalf, fwprovider.New(version)())
	info := tfbridge.ProviderInfo{
		P:            joined,
		Name:         "proxmox",
		Version:      version,
		Resources:    map[string]*tfbridge.ResourceInfo{},
		DataSources:  map[string]*tfbridge.DataSourceInfo{},
		MetadataInfo: tfbridge.NewProviderMetadata(metadata),
	}
	joined.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		if token, used := resources[name]; used {
			info.Resources[name] = &tfbridge.ResourceInfo{Tok: token}
		} else {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
	joined.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		info.IgnoreMappings = append(info.IgnoreMappings, name)
		return true
	})
	return info
}
