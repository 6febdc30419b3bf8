package remote

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/retry"
	"golang.org/x/crypto/ssh"
)

// dial connects and logs in, and retries as often as the connection allows. The end of the context stops the retries,
// but not a dial that has begun.
func (c *Connection) dial(ctx context.Context) (*ssh.Client, error) {
	config, err := c.clientConfig()
	if err != nil {
		return nil, err
	}
	if c.Proxy == nil {
		return withRetry(ctx, "Dial", c.dialErrorLimit(), func() (*ssh.Client, error) {
			return ssh.Dial("tcp", c.address(), config)
		})
	}
	client, err := c.dialThroughProxy(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return client, nil
}

func (c *Connection) dialThroughProxy(ctx context.Context, config *ssh.ClientConfig) (*ssh.Client, error) {
	proxyConfig, err := c.Proxy.clientConfig()
	if err != nil {
		return nil, err
	}
	proxy, err := withRetry(ctx, "Dial proxy", c.Proxy.dialErrorLimit(), func() (*ssh.Client, error) {
		return ssh.Dial("tcp", c.Proxy.address(), proxyConfig)
	})
	if err != nil {
		return nil, err
	}
	conn, err := withRetry(ctx, "Dial from proxy", c.dialErrorLimit(), func() (net.Conn, error) {
		return proxy.Dial("tcp", c.address())
	})
	if err != nil {
		return nil, err
	}
	return withRetry(ctx, "Dial", c.dialErrorLimit(), func() (*ssh.Client, error) {
		sshConn, channels, requests, err := ssh.NewClientConn(conn, c.address(), config)
		if err != nil {
			return nil, err
		}
		return ssh.NewClient(sshConn, channels, requests), nil
	})
}

func (e *endpoint) address() string {
	return net.JoinHostPort(*e.Host, strconv.Itoa(int(*e.Port)))
}

// withRetry calls attempt until it succeeds, limit attempts have been forgiven, or ctx ends. Between attempts it waits
// as the Pulumi SDK's retry helper does: 0.1 s, growing by half each time, 5 s at most. Every failure is tried again, a
// refused login and a wrong host key too.
func withRetry[T any](ctx context.Context, what string, limit int, attempt func() (T, error)) (T, error) {
	var result T
	done, _, err := retry.Until(ctx, retry.Acceptor{
		Accept: func(forgiven int, _ time.Duration) (bool, any, error) {
			value, err := attempt()
			if err == nil {
				result = value
				return true, nil, nil
			}
			if limit > unlimitedDialErrors && forgiven >= limit {
				return true, nil, fmt.Errorf("after %d failed attempts: %w", forgiven, err)
			}
			p.GetLogger(ctx).InfoStatusf("%s %d/%s failed: retrying", what, forgiven+1, limitText(limit))
			return false, nil, nil
		},
	})
	if err == nil && !done {
		err = ctx.Err() // for an ended context, the helper only sets done
	}
	return result, err
}

func limitText(limit int) string {
	if limit == unlimitedDialErrors {
		return "inf"
	}
	return strconv.Itoa(limit)
}
