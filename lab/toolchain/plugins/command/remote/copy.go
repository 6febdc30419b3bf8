package remote

import (
	"context"

	"github.com/pkg/sftp"
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// CopyToRemote is the resource command:remote:CopyToRemote: a file, a text or a folder copied to a machine by SFTP. It
// has no delete: the copy stays.
type CopyToRemote struct{}

// CopyInputs are what a program writes.
type CopyInputs struct {
	Connection *Connection          `pulumi:"connection" provider:"secret"`
	Triggers   *[]any               `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Source     types.AssetOrArchive `pulumi:"source"`
	RemotePath string               `pulumi:"remotePath"`
}

// CopyState is what the stack records.
type CopyState struct {
	CopyInputs
}

// Annotate describes the resource in the schema.
func (c *CopyToRemote) Annotate(a infer.Annotator) {
	a.Describe(&c, "A FileAsset, a StringAsset or a FileArchive copied to a machine by SFTP.")
}

// Annotate describes the inputs in the schema.
func (i *CopyInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Connection, "How to connect to the machine.")
	a.Describe(&i.Triggers, "Values of any type; a change of one replaces the resource.")
	a.Describe(&i.Source, "A FileAsset, a StringAsset or a FileArchive. Archives are copied as they are, folders with "+
		"everything in them.")
	a.Describe(&i.RemotePath, "Where to copy to. Missing parent folders are made. In an existing folder the copy takes "+
		"the source's name.")
}

// Check refuses the kinds of source that the release refuses.
func (*CopyToRemote) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[CopyInputs], error) {
	inputs, failures, err := infer.DefaultCheck[CopyInputs](ctx, req.NewInputs)
	if err == nil {
		failures = append(failures, checkSource(inputs.Source)...)
	}
	return infer.CheckResponse[CopyInputs]{Inputs: inputs, Failures: failures}, err
}

func checkSource(source types.AssetOrArchive) []p.CheckFailure {
	asset, archive := source.Asset, source.Archive
	switch {
	case asset != nil && archive != nil:
		return []p.CheckFailure{{Property: "asset", Reason: "only one of asset or archive can be set"}}
	case asset == nil && archive == nil:
		return []p.CheckFailure{{Property: "asset", Reason: "either asset or archive must be set"}}
	case asset != nil && !asset.IsPath() && !asset.IsText():
		return []p.CheckFailure{{Property: "asset", Reason: "asset must be a path-based file asset or a text asset"}}
	case archive != nil && !archive.IsPath():
		return []p.CheckFailure{{Property: "archive", Reason: "archive must be a path to a file or directory"}}
	}
	return nil
}

// Create copies.
func (*CopyToRemote) Create(
	ctx context.Context, req infer.CreateRequest[CopyInputs],
) (infer.CreateResponse[CopyState], error) {
	state := CopyState{req.Inputs}
	if req.DryRun {
		return infer.CreateResponse[CopyState]{Output: state}, nil
	}
	if err := req.Inputs.copy(ctx); err != nil {
		return infer.CreateResponse[CopyState]{Output: state}, err
	}
	id, err := resource.NewUniqueHex("", 8, 0)
	return infer.CreateResponse[CopyState]{ID: id, Output: state}, err
}

// Update copies again only if the content or the path has changed; a new connection alone copies nothing.
func (*CopyToRemote) Update(
	ctx context.Context, req infer.UpdateRequest[CopyInputs, CopyState],
) (infer.UpdateResponse[CopyState], error) {
	var err error
	changed := req.Inputs.hash() != req.State.hash() || req.Inputs.RemotePath != req.State.RemotePath
	if !req.DryRun && changed {
		err = req.Inputs.copy(ctx)
	}
	return infer.UpdateResponse[CopyState]{Output: CopyState{req.Inputs}}, err
}

func (i *CopyInputs) hash() string {
	if i.Source.Archive != nil {
		return i.Source.Archive.Hash
	}
	return i.Source.Asset.Hash
}

func (i *CopyInputs) copy(ctx context.Context) error {
	client, err := i.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	files, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return err
	}
	defer files.Close()
	switch asset := i.Source.Asset; {
	case asset == nil:
		return upload(files, i.Source.Archive.Path, i.RemotePath)
	case asset.IsText():
		return uploadText(files, asset.Text, i.RemotePath)
	default:
		return upload(files, asset.Path, i.RemotePath)
	}
}
