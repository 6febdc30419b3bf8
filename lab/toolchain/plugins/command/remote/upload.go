package remote

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pkg/sftp"
)

// upload copies a local file or folder. As in the release:
//
//	source | target is a folder | target is missing | target is a file
//	-------|--------------------|-------------------|-----------------
//	file   | target/file        | target            | overwritten
//	dir    | target/dir         | target/dir        | error
//	dir/   | target/…           | target/…          | error
func upload(files *sftp.Client, source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	existing, err := stat(files, target)
	if err != nil {
		return err
	}
	name := filepath.Base(source)
	switch {
	case info.IsDir() && strings.HasSuffix(source, "/"):
		return uploadFolder(files, source, target)
	case info.IsDir():
		if err := makeFolder(files, target); err != nil {
			return err
		}
		return uploadFolder(files, source, path.Join(target, name))
	case existing != nil && existing.IsDir():
		return uploadFile(files, source, path.Join(target, name))
	default:
		return uploadFile(files, source, target)
	}
}

func uploadFolder(files *sftp.Client, source, target string) error {
	return fs.WalkDir(os.DirFS(source), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return makeFolder(files, path.Join(target, name))
		}
		return uploadFile(files, filepath.Join(source, name), path.Join(target, name))
	})
}

func uploadFile(files *sftp.Client, source, target string) error {
	local, err := os.Open(source)
	if err != nil {
		return err
	}
	defer local.Close()
	return write(files, local, target)
}

func uploadText(files *sftp.Client, text, target string) error {
	existing, err := stat(files, target)
	if err != nil {
		return err
	}
	if existing != nil && existing.IsDir() {
		return fmt.Errorf("remote path %s is a directory; when using a text asset, remotePath must be a file path", target)
	}
	return write(files, strings.NewReader(text), target)
}

func write(files *sftp.Client, content io.Reader, target string) (err error) {
	if err := files.MkdirAll(path.Dir(target)); err != nil {
		return fmt.Errorf("failed to create parent directories for %s: %w", target, err)
	}
	remote, err := files.Create(target)
	if err != nil {
		return fmt.Errorf("failed to create remote file %s: %w", target, err)
	}
	defer func() { err = errors.Join(err, remote.Close()) }()
	if _, err := remote.ReadFrom(content); err != nil {
		return fmt.Errorf("failed to copy to remote path %s: %w", target, err)
	}
	return nil
}

func makeFolder(files *sftp.Client, target string) error {
	existing, err := stat(files, target)
	switch {
	case err != nil:
		return err
	case existing != nil && !existing.IsDir():
		return fmt.Errorf("remote path %s exists but is not a directory", target)
	case existing != nil:
		return nil
	}
	if err := files.MkdirAll(target); err != nil {
		return fmt.Errorf("failed to create remote directory %s: %w", target, err)
	}
	return nil
}

// stat returns nil if the target does not exist.
func stat(files *sftp.Client, target string) (fs.FileInfo, error) {
	info, err := files.Stat(target)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("failed to stat remote path %s: %w", target, err)
	}
	return info, nil
}
