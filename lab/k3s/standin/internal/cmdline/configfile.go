package cmdline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
	yaml "go.yaml.in/yaml/v2"
)

// DefaultConfigFile is read unless K3S_CONFIG_FILE or --config names another.
const DefaultConfigFile = "/etc/rancher/k3s/config.yaml"

// WithConfigFile puts the config file's values before the flags of `k3s server` and `k3s agent`, so that flags override
// them. Files in `<config>.d` follow in the order of their names: the last value counts, `key+` appends.
// A server and `etcd-snapshot`, which reads the same file, skip unknown keys with a warning; an agent ends.
func WithConfigFile(args []string) ([]string, error) {
	at := 1
	for at < len(args) && strings.HasPrefix(args[at], "-") {
		at++
	}
	if at >= len(args) || hasAny(args, "--help", "-h", "--version") {
		return args, nil
	}
	command := args[at]
	if command != "server" && command != "agent" && command != "etcd-snapshot" {
		return args, nil
	}
	fromFile, err := readConfig(configFile(args[at+1:]))
	if err != nil {
		return nil, err
	}
	switch command {
	case "server":
		fromFile = onlyKnown(fromFile, namesOf(ServerFlags()))
	case "etcd-snapshot":
		if at++; at >= len(args) || strings.HasPrefix(args[at], "-") {
			return args, nil
		}
		fromFile = onlyKnown(fromFile, snapshotFlagNames)
	}
	result := append([]string{}, args[:at+1]...)
	return append(append(result, fromFile...), args[at+1:]...), nil
}

func namesOf(flags []cli.Flag) map[string]bool {
	names := map[string]bool{}
	for _, flag := range flags {
		for _, name := range flag.Names() {
			names[name] = true
		}
	}
	return names
}

func onlyKnown(flags []string, names map[string]bool) []string {
	var known []string
	for _, flag := range flags {
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		if names[name] {
			known = append(known, flag)
		} else {
			logrus.Warnf("Unknown flag --%s found in config.yaml, skipping\n", name)
		}
	}
	return known
}

func configFile(args []string) string {
	if file := os.Getenv("K3S_CONFIG_FILE"); file != "" {
		return file
	}
	for i, arg := range args {
		for _, flag := range []string{"--config", "-c"} {
			if arg == flag && i+1 < len(args) {
				return args[i+1]
			}
			if value, ok := strings.CutPrefix(arg, flag+"="); ok {
				return value
			}
		}
	}
	return DefaultConfigFile
}

// readConfig returns the file and its drop-ins as flags. No file and no drop-in is no error.
func readConfig(file string) ([]string, error) {
	files, err := dropIns(file)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(file); err == nil {
		files = append([]string{file}, files...)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	values := map[string]any{}
	var order []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var content yaml.MapSlice
		if err := yaml.Unmarshal(text, &content); err != nil {
			return nil, err
		}
		for _, item := range content {
			key, appends := strings.CutSuffix(fmt.Sprint(item.Key), "+")
			old, seen := values[key]
			if !seen {
				order = append(order, key)
			}
			if seen && appends {
				values[key] = append(list(old), list(item.Value)...)
			} else {
				values[key] = item.Value
			}
		}
	}
	var flags []string
	for _, key := range order {
		flags = append(flags, asFlags(key, values[key])...)
	}
	return flags, nil
}

func dropIns(file string) ([]string, error) {
	entries, err := os.ReadDir(file + ".d")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []string
	for _, entry := range entries {
		extension := strings.ToLower(filepath.Ext(entry.Name()))
		if !entry.IsDir() && (extension == ".yaml" || extension == ".yml") {
			files = append(files, filepath.Join(file+".d", entry.Name()))
		}
	}
	return files, err
}

func asFlags(key string, value any) []string {
	prefix := "--"
	if len(key) == 1 {
		prefix = "-"
	}
	if many, ok := value.([]any); ok {
		var flags []string
		for _, one := range many {
			flags = append(flags, prefix+key+"="+text(one))
		}
		return flags
	}
	return []string{prefix + key + "=" + text(value)}
}

func list(value any) []any {
	if many, ok := value.([]any); ok {
		return many
	}
	if text(value) == "" {
		return nil
	}
	return []any{value}
}

func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

func hasAny(args []string, wanted ...string) bool {
	for _, arg := range args {
		for _, one := range wanted {
			if arg == one {
				return true
			}
		}
	}
	return false
}
