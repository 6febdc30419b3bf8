package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"math/big"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// RandomID is the resource random:index/randomId:RandomId: random bytes in four notations.
type RandomID struct{}

// IDInputs are what a program writes.
type IDInputs struct {
	ByteLength int               `pulumi:"byteLength"`
	Keepers    map[string]string `pulumi:"keepers,optional"`
	Prefix     *string           `pulumi:"prefix,optional"`
}

// IDState is what the stack records. Every notation starts with the prefix.
type IDState struct {
	IDInputs
	B64Std string `pulumi:"b64Std"`
	B64URL string `pulumi:"b64Url"`
	Dec    string `pulumi:"dec"`
	Hex    string `pulumi:"hex"`
}

// Annotate sets the token and describes the resource in the schema.
func (r *RandomID) Annotate(a infer.Annotator) {
	a.SetToken("index/randomId", "RandomId")
	a.Describe(&r, "Random bytes, not meant to be secret.")
}

// Annotate describes the inputs in the schema.
func (i *IDInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.ByteLength, "How many random bytes to make, 1 or more.")
	a.Describe(&i.Keepers, "Any values; a change of one makes a new id.")
	a.Describe(&i.Prefix, "Put before every notation of the value.")
}

// Annotate describes the outputs in the schema.
func (s *IDState) Annotate(a infer.Annotator) {
	a.Describe(&s.B64Std, "The bytes in base64, padded.")
	a.Describe(&s.B64URL, "The bytes in base64 for URLs, not padded.")
	a.Describe(&s.Dec, "The bytes as one big-endian number in decimal, not padded.")
	a.Describe(&s.Hex, "The bytes in hexadecimal, two digits each.")
}

// Check refuses an empty id.
func (*RandomID) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[IDInputs], error) {
	inputs, failures, err := infer.DefaultCheck[IDInputs](ctx, req.NewInputs)
	if err == nil && len(failures) == 0 && !hasUnknown(req.NewInputs) && inputs.ByteLength < 1 {
		failures = append(failures, p.CheckFailure{Property: "byteLength", Reason: "must be at least 1"})
	}
	return infer.CheckResponse[IDInputs]{Inputs: inputs, Failures: failures}, err
}

// Create makes the bytes. The resource's id is the URL notation without the prefix.
func (*RandomID) Create(_ context.Context, req infer.CreateRequest[IDInputs]) (infer.CreateResponse[IDState], error) {
	state := IDState{IDInputs: req.Inputs}
	if req.DryRun {
		return infer.CreateResponse[IDState]{Output: state}, nil
	}
	bytes := make([]byte, req.Inputs.ByteLength)
	if _, err := rand.Read(bytes); err != nil {
		return infer.CreateResponse[IDState]{}, err
	}
	prefix := ""
	if req.Inputs.Prefix != nil {
		prefix = *req.Inputs.Prefix
	}
	id := base64.RawURLEncoding.EncodeToString(bytes)
	state.B64URL = prefix + id
	state.B64Std = prefix + base64.StdEncoding.EncodeToString(bytes)
	state.Hex = prefix + hex.EncodeToString(bytes)
	state.Dec = prefix + new(big.Int).SetBytes(bytes).String()
	return infer.CreateResponse[IDState]{ID: id, Output: state}, nil
}
