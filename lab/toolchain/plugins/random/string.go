package main

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// RandomString is the resource random:index/randomString:RandomString: a random text that is no secret.
type RandomString struct{}

// StringState is what the stack records.
type StringState struct {
	TextSettings
	Result string `pulumi:"result"`
}

// Annotate sets the token and describes the resource in the schema.
func (r *RandomString) Annotate(a infer.Annotator) {
	a.SetToken("index/randomString", "RandomString")
	a.Describe(&r, "A random text, not meant to be secret.")
}

// Annotate describes the output in the schema.
func (s *StringState) Annotate(a infer.Annotator) {
	a.Describe(&s.Result, "The text.")
}

// Check refuses inputs that no text can satisfy.
func (*RandomString) Check(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[TextInputs], error) {
	return checkText(ctx, req)
}

// WireDependencies lets a preview show the defaults; the text itself is unknown until it is made.
func (*RandomString) WireDependencies(f infer.FieldSelector, _ *TextInputs, state *StringState) {
	wireSettings(f, &state.TextSettings)
}

// Create makes the text, which is the resource's id too.
func (*RandomString) Create(
	_ context.Context, req infer.CreateRequest[TextInputs],
) (infer.CreateResponse[StringState], error) {
	state := StringState{TextSettings: req.Inputs.settings()}
	if req.DryRun {
		return infer.CreateResponse[StringState]{Output: state}, nil
	}
	var err error
	state.Result, err = state.generate()
	return infer.CreateResponse[StringState]{ID: state.Result, Output: state}, err
}

func wireSettings(f infer.FieldSelector, s *TextSettings) {
	for _, field := range []any{
		&s.Lower, &s.MinLower, &s.MinNumeric, &s.MinSpecial, &s.MinUpper, &s.Number, &s.Numeric, &s.Special, &s.Upper,
	} {
		f.OutputField(field).AlwaysKnown()
	}
}
