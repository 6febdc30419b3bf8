// Command pulumi-resource-proxmoxve bridges the Terraform provider bpg/proxmox to Pulumi, with the tokens of the npm
// package @muhlba91/pulumi-proxmoxve, for the few resources that the lab and the program use. Every request to Proxmox
// VE is made by that provider's own code, as in the released plugin.
//
// `pulumi-resource-proxmoxve schema --out DIR` writes the Pulumi schema and the bridge's metadata. The plugin serves
// them from the folder that holds its binary.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
)

// version is the release that is stood in for. The build sets it from package.json.
var version = "0.0.0"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "schema" {
		tfgen.MainWithMuxer("proxmoxve", providerInfo([]byte("{}")))
		return
	}
	info := providerInfo(besideBinary("bridge-metadata.json"))
	pf.MainWithMuxer(context.Background(), "proxmoxve", info, besideBinary("schema.json"))
}

func besideBinary(name string) []byte {
	binary, err := os.Executable()
	if err == nil {
		var content []byte
		if content, err = os.ReadFile(filepath.Join(filepath.Dir(binary), name)); err == nil {
			return content
		}
	}
	fmt.Fprintln(os.Stderr, "Error:", err)
	os.Exit(1)
	return nil
}
