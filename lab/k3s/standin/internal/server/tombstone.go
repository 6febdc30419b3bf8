package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"k3s-standin/internal/pki"
)

// removedWords are in etcd's last output if others have removed it from the cluster.
const removedWords = "the member has been permanently removed from the cluster"

const keptBackups = 5

func (e *etcd) tombstone() string { return e.file(etcdData, "tombstone") }

// layTombstone records for the next start that this member was removed, if etcd ended because of that. As in K3s the
// server goes on without etcd and is not ready, until somebody restarts it or it loses an election. If a member finds out
// when it starts, K3s often fails to write the tombstone. The stand-in never writes it then: the start waits forever.
func (e *etcd) layTombstone(said string) bool {
	if !strings.Contains(said, removedWords) {
		return false
	}
	if !e.served.Load() {
		logrus.Error("etcd exited: server is stopping")
		return true
	}
	if err := pki.WriteFile(e.tombstone(), nil); err != nil {
		logrus.Errorf("Failed to write tombstone file to %s: %v", e.tombstone(), err)
		return false
	}
	logrus.Info("This node has been removed from the cluster - please restart k3s to rejoin the cluster")
	return true
}

// obeyTombstone moves a removed member's data away, so that the server joins again. Without a server to join, it would
// start its own cluster with them, so that is refused.
func (e *etcd) obeyTombstone() error {
	if !exists(e.tombstone()) {
		return nil
	}
	if e.joinURL == "" {
		return errors.New("tombstone file has been detected but --server is empty: backup and delete ${datadir}/server/db " +
			"to create a new cluster, or set --server to rejoin the cluster")
	}
	logrus.Info("tombstone file has been detected, removing ${datadir}/server/db to rejoin the cluster")
	backup := e.file(etcdData) + "-backup-"
	if err := prune(backup+"*", keptBackups-1); err != nil {
		return err
	}
	return os.Rename(e.file(etcdData), fmt.Sprintf("%s%d", backup, time.Now().Unix()))
}

// prune keeps the newest files that match a pattern; their names end in the time of their creation.
func prune(pattern string, keep int) error {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	sort.Strings(found)
	for len(found) > keep && keep > 0 {
		if err := os.RemoveAll(found[0]); err != nil {
			return err
		}
		found = found[1:]
	}
	return nil
}
