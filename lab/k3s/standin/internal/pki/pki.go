// Package pki makes the cluster's certificate authorities and the certificates that they sign, as files.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	leafLife = 365 * 24 * time.Hour
	// renewBefore is K3s' value: a start renews a leaf that is valid for a shorter time than this.
	renewBefore = 120 * 24 * time.Hour
)

// Authority is a CA whose certificate and key lie in files.
type Authority struct {
	CertFile, KeyFile string
	certificate       *x509.Certificate
	key               crypto.Signer
}

// Profile is the subject and the purpose of a leaf certificate.
type Profile struct {
	CommonName    string
	Organizations []string
	// SANs are DNS names and addresses.
	SANs   []string
	Usages []x509.ExtKeyUsage
}

// Client and Server are the usages of a leaf.
var (
	Client = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	Server = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	Peer   = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
)

// EnsureAuthority loads `<base>.crt` and `<base>.key`; if they are missing, it makes a self-signed CA `<prefix>-ca@<time>`.
func EnsureAuthority(base, prefix string) (*Authority, error) {
	authority := &Authority{CertFile: base + ".crt", KeyFile: base + ".key"}
	key, err := EnsureKey(authority.KeyFile)
	if err != nil {
		return nil, err
	}
	authority.key = key
	if _, err := os.Stat(authority.CertFile); errors.Is(err, fs.ErrNotExist) {
		now := time.Now().UTC()
		template := &x509.Certificate{
			SerialNumber: big.NewInt(0), Subject: pkix.Name{CommonName: fmt.Sprintf("%s-ca@%d", prefix, now.Unix())},
			NotBefore: now, NotAfter: now.Add(caLife), IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return nil, err
		}
		if err := WriteFile(authority.CertFile, encode(der)); err != nil {
			return nil, err
		}
	}
	certificates, err := cert.CertsFromFile(authority.CertFile)
	if err != nil {
		return nil, err
	}
	authority.certificate = certificates[0]
	return authority, nil
}

// PEM is the CA's certificate file.
func (a *Authority) PEM() ([]byte, error) { return os.ReadFile(a.CertFile) }

// Sign makes a certificate for a public key and returns it with its CA, in PEM.
func (a *Authority) Sign(profile Profile, public crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).SetInt64(1<<62))
	if err != nil {
		return nil, err
	}
	names, addresses := splitSANs(profile.SANs)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: profile.CommonName, Organization: profile.Organizations},
		DNSNames: names, IPAddresses: addresses, NotBefore: a.certificate.NotBefore, NotAfter: time.Now().Add(leafLife),
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature, ExtKeyUsage: profile.Usages,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		return nil, err
	}
	return append(encode(der), encode(a.certificate.Raw)...), nil
}

// EnsureLeaf makes `<base>.crt` and `<base>.key`, unless there is a certificate of this CA and profile that need not be renewed.
func (a *Authority) EnsureLeaf(base string, profile Profile) error {
	key, err := EnsureKey(base + ".key")
	if err != nil {
		return err
	}
	if a.isGood(base+".crt", profile) {
		return nil
	}
	signed, err := a.Sign(profile, key.Public())
	if err != nil {
		return err
	}
	return WriteFile(base+".crt", signed)
}

func (a *Authority) isGood(file string, profile Profile) bool {
	certificates, err := cert.CertsFromFile(file)
	if err != nil || len(certificates) == 0 {
		return false
	}
	leaf := certificates[0]
	var has []string
	for _, address := range leaf.IPAddresses {
		has = append(has, address.String())
	}
	has = append(has, leaf.DNSNames...)
	for _, san := range profile.SANs {
		if !slices.Contains(has, san) {
			return false
		}
	}
	return leaf.Subject.CommonName == profile.CommonName && slices.Equal(leaf.Subject.Organization, profile.Organizations) &&
		leaf.CheckSignatureFrom(a.certificate) == nil && time.Until(leaf.NotAfter) > renewBefore
}

// EnsureKey loads a private key or makes one.
func EnsureKey(file string) (crypto.Signer, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		text, err := keyutil.MarshalPrivateKeyToPEM(key)
		if err != nil {
			return nil, err
		}
		if err := WriteFile(file, text); err != nil {
			return nil, err
		}
	}
	key, err := keyutil.PrivateKeyFromFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s holds a key that cannot sign", file)
	}
	return signer, nil
}

// WriteFile writes a file of mode 0600 in one step.
func WriteFile(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	part := file + ".new"
	if err := os.WriteFile(part, content, 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}

func splitSANs(sans []string) (names []string, addresses []net.IP) {
	for _, san := range sans {
		if address := net.ParseIP(san); address != nil {
			addresses = append(addresses, address)
		} else {
			names = append(names, san)
		}
	}
	return names, addresses
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
