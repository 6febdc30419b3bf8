package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"k3s-standin/internal/daemon"
	"k3s-standin/internal/pki"
)

// etcd is this server's member. K3s keeps a single server's data in SQLite; the stand-in uses etcd for that too, on
// loopback and in a folder with the name of SQLite's file, and then refuses what only etcd can do, as K3s would.
type etcd struct {
	options
	// joinToken is the server token as it was given: the server in `server` must have the CA of this token.
	joinToken string
	// managed tells that the datastore is etcd as K3s means it: members may join, snapshots may be taken.
	managed bool
	name    string
	// served tells that the member has been ready since this start.
	served atomic.Bool
}

// K3s' folders of the datastore, below server.
const (
	sqliteData = "db/state.db"
	etcdData   = "db/etcd"
	// walDir exists once etcd has started. From then on it counts, not the configuration.
	walDir = "db/etcd/member/wal"
)

const (
	localEtcd = "https://127.0.0.1:2379"
	// testEvery and testTimeout are K3s' values.
	testEvery   = 5 * time.Second
	testTimeout = 30 * time.Second
)

func newEtcd(o options, joinToken string, clusterInit bool) *etcd {
	e := &etcd{options: o, joinToken: joinToken}
	e.managed = clusterInit || o.joinURL != "" || e.isInitialized()
	return e
}

func (e *etcd) isInitialized() bool { return exists(e.file(walDir)) }

// joins tells whether this start makes the server a member of another's cluster: once there is data, `server` and
// `cluster-init` in the configuration have no effect; before that, `server` takes precedence.
func (e *etcd) joins() bool { return e.joinURL != "" && !e.isInitialized() }

func (e *etcd) dataDir(name ...string) string {
	folder := sqliteData
	if e.managed {
		folder = etcdData
	}
	return e.file(append([]string{folder}, name...)...)
}

func (e *etcd) peerURL() string {
	if e.managed {
		return peerURLOf(e.agent.NodeIP)
	}
	return peerURLOf("127.0.0.1")
}

// prepare uses what is on the disk: it moves the data of a removed member away, makes a single server's data etcd's,
// and gives the member a name at its first start.
func (e *etcd) prepare() error {
	if err := e.obeyTombstone(); err != nil {
		return err
	}
	if e.managed && !e.isInitialized() && !e.joins() && exists(e.file(sqliteData, "member")) {
		logrus.Info("Migrating content from sqlite to etcd")
		if err := os.RemoveAll(e.file(etcdData)); err != nil {
			return err
		}
		if err := os.Rename(e.file(sqliteData), e.file(etcdData)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(e.dataDir("name"))
	if err == nil {
		e.name = strings.TrimSpace(string(text))
		return nil
	}
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	e.name = e.agent.NodeName + "-" + hex.EncodeToString(random)
	return pki.WriteFile(e.dataDir("name"), []byte(e.name))
}

// start runs the member and waits until it serves.
func (e *etcd) start(ctx context.Context, group *daemon.Group) error {
	initial, state := e.name+"="+e.peerURL(), "new"
	if e.joins() {
		members, err := e.join(ctx)
		if err != nil {
			group.Fail(fmt.Errorf("etcd cluster join failed: %w", err))
			<-ctx.Done()
			return ctx.Err()
		}
		initial, state = members, "existing"
	}
	clients, advertised := localEtcd, localEtcd
	if e.managed {
		advertised = fmt.Sprintf("https://%s:2379", e.agent.NodeIP)
		clients += "," + advertised
	}
	cert := func(name string) string { return e.file("tls", "etcd", name) }
	args := []string{
		"--name=" + e.name, "--data-dir=" + e.dataDir(), "--log-level=warn",
		"--listen-client-urls=" + clients, "--advertise-client-urls=" + advertised, "--listen-metrics-urls=http://127.0.0.1:2381",
		"--listen-peer-urls=" + e.peerURL(), "--initial-advertise-peer-urls=" + e.peerURL(),
		"--initial-cluster=" + initial, "--initial-cluster-state=" + state,
		"--client-cert-auth", "--trusted-ca-file=" + cert("server-ca.crt"),
		"--cert-file=" + cert("server-client.crt"), "--key-file=" + cert("server-client.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + cert("peer-ca.crt"),
		"--peer-cert-file=" + cert("peer-server-client.crt"), "--peer-key-file=" + cert("peer-server-client.key"),
	}
	if e.managed {
		// K3s' values, for slow disks. A single member need not wait for others, and starts faster without them.
		args = append(args, "--heartbeat-interval=500", "--election-timeout=5000")
	}
	if err := os.MkdirAll(e.dataDir(), 0o700); err != nil {
		return err
	}
	group.Excuse("etcd", e.layTombstone)
	if err := group.StartSelf("etcd", append(args, flagArgs(e.etcdArgs)...)); err != nil {
		return err
	}
	if err := e.waitServing(ctx); err != nil {
		return err
	}
	if e.managed && state == "new" {
		return e.publishPeerURL(ctx)
	}
	return nil
}

// waitServing waits until the member is ready: a voter with a leader.
func (e *etcd) waitServing(ctx context.Context) error {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go e.explainWaiting(waiting)
	// The health check does not detect a learner, but needs no connection to etcd.
	for !isHealthy() || e.test(ctx) != nil {
		if !sleep(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	e.served.Store(true)
	logrus.Info("Connection to etcd is ready")
	return nil
}

// explainWaiting logs why the member is not ready, as often as K3s and with its message.
func (e *etcd) explainWaiting(ctx context.Context) {
	for sleep(ctx, testEvery) {
		if err := e.test(ctx); err != nil && ctx.Err() == nil {
			logrus.Infof("Failed to test etcd connection: %v", err)
		}
	}
}

func isHealthy() bool {
	client := &http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://127.0.0.1:2381/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// test returns why the member is not ready, or nil.
func (e *etcd) test(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	client, err := e.client(ctx, localEtcd)
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := client.Status(ctx, localEtcd)
	switch {
	case err != nil:
		return fmt.Errorf("failed to get etcd status: %w", err)
	case status.IsLearner:
		return errors.New("this server has not yet been promoted from learner to voting member")
	case status.Leader == 0:
		return rpctypes.ErrNoLeader
	}
	_, err = client.MemberList(ctx)
	return err
}

// client returns a client for members at their client URLs.
func (e *etcd) client(ctx context.Context, endpoints ...string) (*clientv3.Client, error) {
	certificate, err := tls.LoadX509KeyPair(e.file("tls", "etcd", "client.crt"), e.file("tls", "etcd", "client.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(e.file("tls", "etcd", "server-ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return clientv3.New(clientv3.Config{
		Context: ctx, Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}},
	})
}

// publishPeerURL gives a member that was alone on loopback the address that others can reach.
func (e *etcd) publishPeerURL(ctx context.Context) error {
	client, err := e.client(ctx, localEtcd)
	if err != nil {
		return err
	}
	defer client.Close()
	members, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	for _, member := range members.Members {
		if member.Name == e.name && (len(member.PeerURLs) != 1 || member.PeerURLs[0] != e.peerURL()) {
			_, err := client.MemberUpdate(ctx, member.ID, []string{e.peerURL()})
			return err
		}
	}
	return nil
}

func peerURLOf(address string) string { return "https://" + net.JoinHostPort(address, "2380") }

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func sleep(ctx context.Context, duration time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(duration):
		return true
	}
}
