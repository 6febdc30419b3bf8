// Command pulumi-resource-command is a stand-in for the released resource plugin "command" 1.2.1.
//
// It serves the two remote resources of the npm package @pulumi/command, with the tokens, inputs, outputs and semantics
// of the release, for machines on which the release cannot be downloaded. Local commands are not part of it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/middleware/schema"

	"proxmox-k3s/lab/toolchain/plugins/command/remote"
)

// version is that of the release that this plugin replaces. The build sets it from package.json.
var version = "0.0.0"

func main() {
	provider := infer.Provider(infer.Options{
		Metadata: schema.Metadata{
			DisplayName: "Command (stand-in)",
			Description: "Runs commands and copies files over SSH, as the released command plugin does.",
			LanguageMap: map[string]any{"nodejs": map[string]any{"respectSchemaVersion": true}},
		},
		Resources: []infer.InferredResource{
			infer.Resource(&remote.Command{}),
			infer.Resource(&remote.CopyToRemote{}),
		},
	})
	if err := provider.Run(context.Background(), "command", version); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
