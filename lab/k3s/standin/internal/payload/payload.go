// Package payload unpacks the programs that are appended to the binary: containerd, runc, ctr and the CNI plugins.
//
// The payload is a tar.gz appended to the executable, followed by a footer: its SHA-256 (32 bytes), its length
// (8 bytes, big-endian) and a magic word (8 bytes).
package payload

import (
	"archive/tar"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sirupsen/logrus"

	"k3s-standin/internal/cmdline"
)

const (
	magic      = "K3SPAYLD"
	footerSize = 32 + 8 + len(magic)
	// Socket of containerd, as in K3s.
	Socket = "/run/k3s/containerd/containerd.sock"
)

// Ensure unpacks the payload to `<data>/data/<sha256>` unless it is there, points `data/current` (and `data/previous`)
// as K3s does, and returns its bin folder.
func Ensure(dataDir string) (string, error) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return "", err
	}
	defer file.Close()
	section, sum, err := find(file)
	if err != nil {
		return "", err
	}
	data := filepath.Join(dataDir, "data")
	dir := filepath.Join(data, sum)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		logrus.Infof("Preparing data dir %s", dir)
		part := dir + "-tmp"
		if err := os.RemoveAll(part); err != nil {
			return "", err
		}
		if err := unpack(section, filepath.Join(part, "bin")); err != nil {
			return "", fmt.Errorf("unpack the payload: %w", err)
		}
		if err := os.Rename(part, dir); err != nil {
			return "", err
		}
	}
	if err := point(data, sum); err != nil {
		return "", err
	}
	return filepath.Join(dir, "bin"), nil
}

// ExecCtr replaces this process by the payload's ctr, for K3s' containerd.
func ExecCtr() {
	bin, err := Ensure(cmdline.DataDir)
	if err != nil {
		logrus.Fatal(err)
	}
	os.Setenv("CONTAINERD_NAMESPACE", "k8s.io")
	os.Setenv("CONTAINERD_ADDRESS", Socket)
	logrus.Fatal(syscall.Exec(filepath.Join(bin, "ctr"), append([]string{"ctr"}, os.Args[1:]...), os.Environ()))
}

func find(file *os.File) (io.Reader, string, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, "", err
	}
	footer := make([]byte, footerSize)
	if _, err := file.ReadAt(footer, info.Size()-int64(footerSize)); err != nil {
		return nil, "", err
	}
	if string(footer[40:]) != magic {
		return nil, "", errors.New("this binary carries no payload: it was not packed")
	}
	length := int64(binary.BigEndian.Uint64(footer[32:40]))
	return io.NewSectionReader(file, info.Size()-int64(footerSize)-length, length), hex.EncodeToString(footer[:32]), nil
}

func unpack(compressed io.Reader, dir string) error {
	plain, err := gzip.NewReader(compressed)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		target, err := os.OpenFile(filepath.Join(dir, filepath.Base(header.Name)), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
		if err != nil {
			return err
		}
		if _, err := io.Copy(target, files); err != nil {
			target.Close()
			return err
		}
		if err := target.Close(); err != nil {
			return err
		}
	}
}

func point(data, sum string) error {
	current := filepath.Join(data, "current")
	old, _ := os.Readlink(current)
	if old == sum {
		return nil
	}
	if old != "" {
		if err := link(old, filepath.Join(data, "previous")); err != nil {
			return err
		}
	}
	return link(sum, current)
}

func link(target, name string) error {
	if err := os.Symlink(target, name+".new"); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(name+".new", name)
}
