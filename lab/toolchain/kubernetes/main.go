// Command pulumi-resource-kubernetes is the released Kubernetes provider of Pulumi, built from its public Go module: only
// this file is ours. The release embeds the schema and the mapping of Terraform's names; they are read here from the
// folder that holds the binary, where the lab's build puts them.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

func main() {
	provider.Serve("kubernetes", version.Version, besideBinary("schema.json"), besideBinary("terraform-mapping.json"))
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
