package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

const (
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits    = "0123456789"
	specials  = "!@#$%&*()-_=+[]{}<>:?"
)

// TextInputs are what a program writes for a random string or password.
type TextInputs struct {
	Keepers         map[string]string `pulumi:"keepers,optional"`
	Length          int               `pulumi:"length"`
	Lower           *bool             `pulumi:"lower,optional"`
	MinLower        *int              `pulumi:"minLower,optional"`
	MinNumeric      *int              `pulumi:"minNumeric,optional"`
	MinSpecial      *int              `pulumi:"minSpecial,optional"`
	MinUpper        *int              `pulumi:"minUpper,optional"`
	Number          *bool             `pulumi:"number,optional"`
	Numeric         *bool             `pulumi:"numeric,optional"`
	OverrideSpecial *string           `pulumi:"overrideSpecial,optional"`
	Special         *bool             `pulumi:"special,optional"`
	Upper           *bool             `pulumi:"upper,optional"`
}

// TextSettings are the inputs with every default filled in. As in the release, the defaults are in the outputs, but not
// in the recorded inputs.
type TextSettings struct {
	Keepers         map[string]string `pulumi:"keepers,optional"`
	Length          int               `pulumi:"length"`
	Lower           bool              `pulumi:"lower"`
	MinLower        int               `pulumi:"minLower"`
	MinNumeric      int               `pulumi:"minNumeric"`
	MinSpecial      int               `pulumi:"minSpecial"`
	MinUpper        int               `pulumi:"minUpper"`
	Number          bool              `pulumi:"number"`
	Numeric         bool              `pulumi:"numeric"`
	OverrideSpecial *string           `pulumi:"overrideSpecial,optional"`
	Special         bool              `pulumi:"special"`
	Upper           bool              `pulumi:"upper"`
}

// Annotate describes the inputs in the schema.
func (i *TextInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Keepers, "Any values; a change of one makes a new text.")
	a.Describe(&i.Length, "How many characters to make: 1 or more, and no fewer than the minimums together.")
	a.Describe(&i.Lower, "Use lower-case letters. Defaults to true.")
	a.Describe(&i.Upper, "Use upper-case letters. Defaults to true.")
	a.Describe(&i.Numeric, "Use digits. Defaults to true.")
	a.Describe(&i.Number, "Use digits. Defaults to true.")
	a.Deprecate(&i.Number, "Use numeric instead.")
	a.Describe(&i.Special, "Use special characters. Defaults to true.")
	a.Describe(&i.MinLower, "The fewest lower-case letters. Defaults to 0.")
	a.Describe(&i.MinUpper, "The fewest upper-case letters. Defaults to 0.")
	a.Describe(&i.MinNumeric, "The fewest digits. Defaults to 0.")
	a.Describe(&i.MinSpecial, "The fewest special characters. Defaults to 0.")
	a.Describe(&i.OverrideSpecial, "The special characters to use instead of "+specials)
}

// settings fills in the defaults. If only number is given, the old name of numeric, it counts as numeric.
func (i *TextInputs) settings() TextSettings {
	numeric := i.Numeric
	if numeric == nil {
		numeric = i.Number
	}
	return TextSettings{
		Keepers:         i.Keepers,
		Length:          i.Length,
		Lower:           or(i.Lower, true),
		MinLower:        or(i.MinLower, 0),
		MinNumeric:      or(i.MinNumeric, 0),
		MinSpecial:      or(i.MinSpecial, 0),
		MinUpper:        or(i.MinUpper, 0),
		Number:          or(numeric, true),
		Numeric:         or(numeric, true),
		OverrideSpecial: i.OverrideSpecial,
		Special:         or(i.Special, true),
		Upper:           or(i.Upper, true),
	}
}

func or[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}

// checkText reads the inputs and refuses what no text can satisfy.
func checkText(ctx context.Context, req infer.CheckRequest) (infer.CheckResponse[TextInputs], error) {
	inputs, failures, err := infer.DefaultCheck[TextInputs](ctx, req.NewInputs)
	if err == nil && len(failures) == 0 && !hasUnknown(req.NewInputs) {
		settings := inputs.settings()
		failures = settings.check()
	}
	return infer.CheckResponse[TextInputs]{Inputs: inputs, Failures: failures}, err
}

func (s *TextSettings) check() []p.CheckFailure {
	var failures []p.CheckFailure
	fail := func(property, format string, args ...any) {
		failures = append(failures, p.CheckFailure{Property: property, Reason: fmt.Sprintf(format, args...)})
	}
	if s.Length < 1 {
		fail("length", "must be at least 1")
	}
	if least := s.MinLower + s.MinUpper + s.MinNumeric + s.MinSpecial; s.Length < least {
		fail("length", "must be at least %d, the sum of minLower, minUpper, minNumeric and minSpecial", least)
	}
	if min(s.MinLower, s.MinUpper, s.MinNumeric, s.MinSpecial) < 0 {
		fail("length", "minLower, minUpper, minNumeric and minSpecial must not be negative")
	}
	if !s.Lower && !s.Upper && !s.Numeric && !s.Special {
		fail("special", "at least one of lower, upper, numeric and special must be true")
	}
	return failures
}

// hasUnknown is true in a preview whose inputs come from resources that do not exist yet.
func hasUnknown(inputs property.Map) bool {
	return property.New(inputs).HasComputed()
}

// generate draws the minimums from their sets and the rest from all sets in use, and shuffles the whole.
func (s *TextSettings) generate() (string, error) {
	special := specials
	if s.OverrideSpecial != nil {
		special = *s.OverrideSpecial
	}
	var text []byte
	all := ""
	for _, set := range []struct {
		characters string
		used       bool
		least      int
	}{
		{lowerCase, s.Lower, s.MinLower},
		{upperCase, s.Upper, s.MinUpper},
		{digits, s.Numeric, s.MinNumeric},
		{special, s.Special, s.MinSpecial},
	} {
		if set.used {
			all += set.characters
		}
		drawn, err := draw(set.characters, set.least)
		if err != nil {
			return "", err
		}
		text = append(text, drawn...)
	}
	rest, err := draw(all, s.Length-len(text))
	if err != nil {
		return "", err
	}
	text = append(text, rest...)
	if err := shuffle(text); err != nil {
		return "", err
	}
	return string(text), nil
}

func draw(characters string, count int) ([]byte, error) {
	if count > 0 && characters == "" {
		return nil, fmt.Errorf("no characters to draw from")
	}
	drawn := make([]byte, count)
	for i := range drawn {
		at, err := below(len(characters))
		if err != nil {
			return nil, err
		}
		drawn[i] = characters[at]
	}
	return drawn, nil
}

// shuffle is Fisher and Yates's.
func shuffle(text []byte) error {
	for i := len(text) - 1; i > 0; i-- {
		at, err := below(i + 1)
		if err != nil {
			return err
		}
		text[i], text[at] = text[at], text[i]
	}
	return nil
}

func below(limit int) (int, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(limit)))
	if err != nil {
		return 0, err
	}
	return int(n.Int64()), nil
}
