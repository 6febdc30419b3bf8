// Command pulumi-resource-random is a stand-in for the released resource plugin "random".
//
// It serves RandomId, RandomPassword and RandomString of the npm package @pulumi/random, with the tokens, inputs,
// outputs and semantics of the release, for machines on which the release cannot be downloaded. Values are made once,
// at creation; a change of any input replaces the resource.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/middleware/schema"
)

// version is that of the release that this plugin replaces. The build sets it from package.json.
var version = "0.0.0"

func main() {
	provider := infer.Provider(infer.Options{
		Metadata: schema.Metadata{
			DisplayName: "Random (stand-in)",
			Description: "Makes random values once and keeps them in the stack's state, as the released random plugin does.",
			LanguageMap: map[string]any{"nodejs": map[string]any{"respectSchemaVersion": true}},
		},
		Resources: []infer.InferredResource{
			infer.Resource(&RandomID{}),
			infer.Resource(&RandomPassword{}),
			infer.Resource(&RandomString{}),
		},
	})
	provider.GetSchema = withModuleFormat(provider.GetSchema)
	if err := provider.Run(context.Background(), "random", version); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

type getSchema func(context.Context, p.GetSchemaRequest) (p.GetSchemaResponse, error)

// withModuleFormat adds the rule that the module of "random:index/randomId:RandomId" is "index". The tokens come from a
// bridged provider, and the library has no way to say so; without the rule the schema does not bind.
func withModuleFormat(get getSchema) getSchema {
	return func(ctx context.Context, req p.GetSchemaRequest) (p.GetSchemaResponse, error) {
		resp, err := get(ctx, req)
		if err != nil {
			return resp, err
		}
		var spec map[string]any
		if err := json.Unmarshal([]byte(resp.Schema), &spec); err != nil {
			return resp, err
		}
		spec["meta"] = map[string]string{"moduleFormat": "(.*)(?:/[^/]*)"}
		text, err := json.Marshal(spec)
		return p.GetSchemaResponse{Schema: string(text)}, err
	}
}
