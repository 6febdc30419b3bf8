// Package token reads and writes K3s' join tokens and calls a supervisor with them.
//
// The form is `K10<hash>::<user>:<password>` or `K10<hash>::<id>.<secret>`; a bare password and a bare `<id>.<secret>`
// are accepted too, but then the joining machine does not check the cluster's CA.
package token

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
)

const (
	prefix     = "K10"
	hashLength = sha256.Size * 2
)

// Token is a parsed join token. Either User and Password or Bootstrap is set.
type Token struct {
	// CAHash is the SHA-256 in hex of the cluster CA's file; "" if the token is a short one.
	CAHash         string
	User, Password string
	// Bootstrap is `<id>.<secret>`, made by `k3s token create`.
	Bootstrap string
}

var bootstrapForm = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

// Parse reads a token. Its errors have K3s' texts: people and programs look for them in the journal.
func Parse(text string) (Token, error) {
	var parsed Token
	if text == "" {
		return parsed, errors.New("token must not be empty")
	}
	credentials, full := strings.CutPrefix(text, prefix)
	if full {
		if hash, rest, found := strings.Cut(credentials, "::"); found {
			if hash != "" && len(hash) != hashLength {
				return parsed, errors.New("invalid token CA hash length")
			}
			parsed.CAHash, credentials = hash, rest
		}
	} else if !bootstrapForm.MatchString(text) {
		credentials = ":" + text
	}
	if bootstrapForm.MatchString(credentials) {
		parsed.Bootstrap = credentials
		return parsed, nil
	}
	user, password, found := strings.Cut(credentials, ":")
	if !found || password == "" {
		return parsed, errors.New("invalid token format")
	}
	parsed.User, parsed.Password = user, password
	return parsed, nil
}

// Format writes a full token. credentials is `<user>:<password>` or `<id>.<secret>`; ca is the CA file's content.
func Format(credentials string, ca []byte) string {
	return prefix + HashCA(ca) + "::" + credentials
}

// HashCA returns the hash of the cluster's CA for a token. It supports a file with one certificate, the only form made here.
func HashCA(ca []byte) string {
	sum := sha256.Sum256(ca)
	return hex.EncodeToString(sum[:])
}
