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

// removedWords are etcd's last when others have removed it from the cluster.
const removedWords = "the member has been permanently removed from the cluster"

const keptBackups = 5

func (e *etcd) tombstone() string { return e.file(etcdData, "tombstone") }

// layTombstone notes for the next start that this member was removed, where that is why etcd ended. As in K3s the
// server goes on without etcd, and without readiness, until somebody restarts it or it loses an election. A member that
// learns of its removal when it starts comes too late in K3s as often as not; here it always does: its start waits for ever.
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

// obeyTombstone puts a removed member's data aside, so that it joins anew. Without a server to join it would make a
// cluster of its own out of them, and is refused.
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

// prune keeps the newest of what a pattern matches; the names end in the time they were made.
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
