package main

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"golang.org/x/crypto/bcrypt"
)

// bcryptMaxBytes is how much of a password bcrypt can hash; the release hashes this many bytes from the start.
const bcryptMaxBytes = 72

// RandomPassword is the resource random:index/randomPassword:RandomPassword: a random text that is a secret.
type RandomPassword struct{}

// PasswordState is what the stack records, the text and its hash encrypted.
type PasswordState struct {
	TextSettings
	BcryptHash string `pulumi:"bcryptHash" provider:"secret"`
	Result     string `pulumi:"result" provider:"secret"`
}

// Annotate sets the token and describes the resource in the schema.
func (r *RandomPassword) Annotate(a infer.Annotator) {
	a.SetToken("index/randomPassword", "RandomPassword")
	a.Describe(&r, "A random text that is a secret.")
}

// Annotate describes the outputs in the schema.
func (s *PasswordState) Annotate(a infer.Annotator) {
	a.Describe(&s.BcryptHash, "A bcrypt hash of the text's first 72 bytes.")
	a.Describe(&s.Result, "The text.")
}

// Check refuses inputs that no text can satisfy.
func (*RandomPassword) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[TextInputs], error) {
	return checkText(ctx, req)
}

// WireDependencies lets a preview show the defaults; the text itself is unknown until it is made.
func (*RandomPassword) WireDependencies(f infer.FieldSelector, _ *TextInputs, state *PasswordState) {
	wireSettings(f, &state.TextSettings)
	f.OutputField(&state.Result).AlwaysSecret()
	f.OutputField(&state.BcryptHash).AlwaysSecret()
}

// Create makes the text and its hash. The resource's id does not reveal them.
func (*RandomPassword) Create(
	_ context.Context, req infer.CreateRequest[TextInputs],
) (infer.CreateResponse[PasswordState], error) {
	state := PasswordState{TextSettings: req.Inputs.settings()}
	if req.DryRun {
		return infer.CreateResponse[PasswordState]{ID: "none", Output: state}, nil
	}
	var err error
	if state.Result, err = state.generate(); err != nil {
		return infer.CreateResponse[PasswordState]{}, err
	}
	text := []byte(state.Result)
	hash, err := bcrypt.GenerateFromPassword(text[:min(len(text), bcryptMaxBytes)], bcrypt.DefaultCost)
	if err != nil {
		return infer.CreateResponse[PasswordState]{}, err
	}
	state.BcryptHash = string(hash)
	return infer.CreateResponse[PasswordState]{ID: "none", Output: state}, nil
}
