package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"k3s-standin/internal/daemon"
	"k3s-standin/internal/pki"
)

// etcd is this server's member. K3s keeps a single server's data in SQLite; the stand-in uses etcd there too, on
// loopback, and then refuses what only etcd can do, as K3s would.
type etcd struct {
	options
	// managed tells that the configuration asked for etcd: members may join, snapshots may be taken.
	managed bool
	name    string
	// member tells that this server was a serving member before this start.
	member bool
}

// Files that say what the datastore was at its last start.
const (
	memberMarker  = "db/etcd-member"
	managedMarker = "db/etcd-managed"
)

const etcdHealth = "http://127.0.0.1:2381/readyz"

func newEtcd(o options, clusterInit bool) (*etcd, error) {
	e := &etcd{options: o}
	_, err := os.Stat(o.file(memberMarker))
	e.member = err == nil
	_, err = os.Stat(o.file(managedMarker))
	e.managed = err == nil || clusterInit || e.joins()
	nameFile := o.file("db", "etcd-name")
	text, err := os.ReadFile(nameFile)
	if e.name = strings.TrimSpace(string(text)); err != nil {
		random := make([]byte, 4)
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
		e.name = o.agent.NodeName + "-" + hex.EncodeToString(random)
		if err := pki.WriteFile(nameFile, []byte(e.name+"\n")); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// joins tells whether this start makes the server a member of another's cluster. Once it has been one, `server` in the
// configuration means nothing any more; until then, data of a start that was cut off is no data: kept, it would make
// a cluster of its own.
func (e *etcd) joins() bool { return e.joinURL != "" && !e.member }

func (e *etcd) dataDir(name ...string) string {
	return e.file(append([]string{"db", "etcd"}, name...)...)
}

func (e *etcd) peerURL() string {
	if e.managed {
		return fmt.Sprintf("https://%s:2380", e.agent.NodeIP)
	}
	return "https://127.0.0.1:2380"
}

// start runs the member and waits until it serves.
func (e *etcd) start(ctx context.Context, group *daemon.Group, a *authorities) error {
	initial, state := e.name+"="+e.peerURL(), "new"
	if e.joins() {
		if err := os.RemoveAll(e.dataDir()); err != nil {
			return err
		}
		members, err := e.addMember(ctx)
		if err != nil {
			return fmt.Errorf("joining etcd cluster: %w", err)
		}
		initial, state = members, "existing"
	}
	clients := "https://127.0.0.1:2379"
	advertised := clients
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
		// K3s' own, for slow disks. A member that is alone needs no patience with others, and starts faster without.
		args = append(args, "--heartbeat-interval=500", "--election-timeout=5000")
	}
	if err := os.MkdirAll(e.dataDir(), 0o700); err != nil {
		return err
	}
	if err := group.StartSelf("etcd", append(args, flagArgs(e.etcdArgs)...)); err != nil {
		return err
	}
	if e.managed {
		if err := pki.WriteFile(e.file(managedMarker), nil); err != nil {
			return err
		}
	}
	if state == "existing" {
		// A learner is not healthy in etcd's sense: it serves no reads.
		if err := e.promote(ctx); err != nil {
			return err
		}
	}
	if err := e.waitHealthy(ctx); err != nil {
		return err
	}
	if err := pki.WriteFile(e.file(memberMarker), nil); err != nil {
		return err
	}
	if e.managed && state == "new" {
		return e.publishPeerURL(ctx)
	}
	return nil
}

func (e *etcd) waitHealthy(ctx context.Context) error {
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		response, err := client.Get(etcdHealth)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// client talks to the member on loopback, or to that of another server.
func (e *etcd) client(ctx context.Context, host string) (*clientv3.Client, error) {
	certificate, err := tls.LoadX509KeyPair(e.file("tls", "etcd", "client.crt"), e.file("tls", "etcd", "client.key"))
	if err != nil {
		return nil, err
	}
	pool, err := certPool(e.file("tls", "etcd", "server-ca.crt"))
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{
		Context: ctx, Endpoints: []string{"https://" + host + ":2379"}, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		TLS: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}},
	})
}

// addMember announces this server as a learner and returns the cluster's members as etcd's flag wants them. One
// member joins at a time: while another is a learner, etcd refuses, and we wait as K3s does.
func (e *etcd) addMember(ctx context.Context) (string, error) {
	join, err := url.Parse(e.joinURL)
	if err != nil {
		return "", err
	}
	client, err := e.client(ctx, join.Hostname())
	if err != nil {
		return "", err
	}
	defer client.Close()
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		added, err := client.MemberAddAsLearner(attempt, []string{e.peerURL()})
		cancel()
		if err == nil {
			var initial []string
			for _, member := range added.Members {
				name := member.Name
				if member.ID == added.Member.ID {
					name = e.name
				}
				for _, peer := range member.PeerURLs {
					initial = append(initial, name+"="+peer)
				}
			}
			logrus.Infof("Adding member %s=%s to etcd cluster %v", e.name, e.peerURL(), initial)
			return strings.Join(initial, ","), nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if strings.Contains(err.Error(), "Peer URLs already exists") {
			if err := e.forget(ctx, client); err != nil {
				return "", err
			}
			continue
		}
		logrus.Infof("Waiting for other members to finish joining etcd cluster: %v", err)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

// forget removes the member that an earlier join of this server, cut off, has left at our address.
func (e *etcd) forget(ctx context.Context, client *clientv3.Client) error {
	members, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	for _, member := range members.Members {
		if slices.Contains(member.PeerURLs, e.peerURL()) {
			_, err := client.MemberRemove(ctx, member.ID)
			return err
		}
	}
	return nil
}

// promote makes the learner a voter, as soon as it has caught up.
func (e *etcd) promote(ctx context.Context) error {
	client, err := e.client(ctx, "127.0.0.1")
	if err != nil {
		return err
	}
	defer client.Close()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		status, err := client.Status(attempt, "https://127.0.0.1:2379")
		cancel()
		if err == nil && !status.IsLearner {
			return nil
		}
		if err == nil {
			if err = e.promoteByLeader(ctx, status.Header.MemberId); err == nil {
				logrus.Infof("Promoted etcd member %s", e.name)
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("etcd member %s was not promoted: %w", e.name, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// promoteByLeader asks the server that we joined: a learner answers no such request.
func (e *etcd) promoteByLeader(ctx context.Context, member uint64) error {
	join, err := url.Parse(e.joinURL)
	if err != nil {
		return err
	}
	client, err := e.client(ctx, join.Hostname())
	if err != nil {
		return err
	}
	defer client.Close()
	attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = client.MemberPromote(attempt, member)
	return err
}

// publishPeerURL gives a member that was alone on loopback the address at which others find it.
func (e *etcd) publishPeerURL(ctx context.Context) error {
	client, err := e.client(ctx, "127.0.0.1")
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

// snapshot saves the datastore and removes the oldest of its name beyond the number to keep.
func (e *etcd) snapshot(ctx context.Context, name string) (string, error) {
	if !e.managed {
		return "", errors.New("etcd datastore disabled")
	}
	client, err := e.client(ctx, "127.0.0.1")
	if err != nil {
		return "", err
	}
	defer client.Close()
	stream, err := client.Snapshot(ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	if err := os.MkdirAll(e.snapshotDir, 0o700); err != nil {
		return "", err
	}
	file := filepath.Join(e.snapshotDir, fmt.Sprintf("%s-%s-%d", name, e.agent.NodeName, time.Now().Unix()))
	if err := copyTo(file, stream); err != nil {
		return "", err
	}
	return file, prune(filepath.Join(e.snapshotDir, name+"-"+e.agent.NodeName+"-*"), e.snapshots)
}
