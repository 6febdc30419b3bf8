package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// snapshot saves the datastore, and removes the oldest snapshots with this name that exceed the number to keep.
func (e *etcd) snapshot(ctx context.Context, name string) (string, error) {
	if !e.managed {
		return "", errors.New(etcdDisabled)
	}
	client, err := e.client(ctx, localEtcd)
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

func copyTo(file string, from io.Reader) error {
	target, err := os.OpenFile(file+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, from); err != nil {
		target.Close()
		return err
	}
	if err := target.Close(); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}
