// Package remote implements the resources of the module "remote" of the command plugin.
package remote

import (
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Defaults of the release, applied when inputs are checked and so stored with the inputs.
const (
	defaultUser           = "root"
	defaultPort           = 22
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15 // seconds
)

// unlimitedDialErrors as a limit means: never give up.
const unlimitedDialErrors = -1

// Connection says how to reach a machine over SSH, through a bastion if Proxy is set.
type Connection struct {
	endpoint
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// ProxyConnection says how to reach the bastion.
type ProxyConnection struct{ endpoint }

// endpoint is what a machine and its bastion have in common.
type endpoint struct {
	User               *string  `pulumi:"user,optional"`
	Password           *string  `pulumi:"password,optional" provider:"secret"`
	Host               *string  `pulumi:"host"`
	Port               *float64 `pulumi:"port,optional"`
	PrivateKey         *string  `pulumi:"privateKey,optional" provider:"secret"`
	PrivateKeyPassword *string  `pulumi:"privateKeyPassword,optional" provider:"secret"`
	AgentSocketPath    *string  `pulumi:"agentSocketPath,optional"`
	DialErrorLimit     *int     `pulumi:"dialErrorLimit,optional"`
	PerDialTimeout     *int     `pulumi:"perDialTimeout,optional"`
	HostKey            *string  `pulumi:"hostKey,optional"`
}

// Annotate describes the type in the schema and sets its defaults.
func (c *Connection) Annotate(a infer.Annotator) {
	a.Describe(&c, "How to connect to a machine over SSH.")
	a.Describe(&c.Proxy, "The bastion to go through.")
	c.annotate(a)
}

// Annotate describes the type in the schema and sets its defaults.
func (c *ProxyConnection) Annotate(a infer.Annotator) {
	a.Describe(&c, "How to connect to a bastion over SSH.")
	c.annotate(a)
}

func (e *endpoint) annotate(a infer.Annotator) {
	a.Describe(&e.User, "The user to log in as.")
	a.SetDefault(&e.User, defaultUser)
	a.Describe(&e.Password, "The password to log in with.")
	a.Describe(&e.Host, "The address or name of the machine.")
	a.Describe(&e.Port, "The port of the machine's SSH server.")
	a.SetDefault(&e.Port, defaultPort)
	a.Describe(&e.PrivateKey, "The private key to log in with, in OpenSSH or PEM form. Offered before the password.")
	a.Describe(&e.PrivateKeyPassword, "The password of an encrypted private key.")
	a.Describe(&e.AgentSocketPath, "The socket of an SSH agent. Defaults to SSH_AUTH_SOCK of the plugin's environment.")
	a.Describe(&e.DialErrorLimit, "How many failed dials to forgive; one more ends the operation. -1 is without limit.")
	a.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	a.Describe(&e.PerDialTimeout, "Seconds that one TCP dial may take. 0 is without limit.")
	a.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
	a.Describe(&e.HostKey, "The machine's public host key, as in authorized_keys. Absent, any host key is accepted.")
}

func (e *endpoint) dialErrorLimit() int {
	if e.DialErrorLimit == nil {
		return defaultDialErrorLimit
	}
	return *e.DialErrorLimit
}
