package cmdline

import (
	"time"

	"github.com/urfave/cli/v2"
)

var snapshotFlagNames = set(names("data-dir", "d", "token", "t", "server", "s", "etcd-snapshot-dir", "etcd-snapshot-retention",
	"etcd-snapshot-compress", "node-name"))

// TokenCommand is `k3s token` with those of its subcommands that the program may use.
func TokenCommand(actions map[string]cli.ActionFunc) *cli.Command {
	return &cli.Command{Name: "token", Usage: "Manage tokens", Subcommands: []*cli.Command{
		{Name: "create", Usage: "Create bootstrap tokens on the server", Action: actions["create"], Flags: []cli.Flag{
			&cli.StringFlag{Name: "description"},
			&cli.DurationFlag{Name: "ttl", Value: 24 * time.Hour},
		}},
		{Name: "list", Usage: "List bootstrap tokens on the server", Action: actions["list"]},
		{Name: "delete", Usage: "Delete bootstrap tokens on the server", Action: actions["delete"]},
		{Name: "rotate", Usage: "Rotate the original server token", Action: actions["rotate"], Flags: []cli.Flag{
			&cli.StringFlag{Name: "token", Aliases: []string{"t"}, EnvVars: []string{"K3S_TOKEN"}},
			&cli.StringFlag{Name: "new-token"},
		}},
	}}
}

// EtcdSnapshotCommand is `k3s etcd-snapshot` for local snapshots.
func EtcdSnapshotCommand(actions map[string]cli.ActionFunc) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "data-dir", Aliases: []string{"d"}, Value: DataDir},
		&cli.StringFlag{Name: "token", Aliases: []string{"t"}},
		&cli.StringFlag{Name: "server", Aliases: []string{"s"}, Value: "https://127.0.0.1:6443"},
		&cli.StringFlag{Name: "node-name"},
		&cli.StringFlag{Name: "etcd-snapshot-dir"},
		&cli.IntFlag{Name: "etcd-snapshot-retention", Value: 5},
		&cli.BoolFlag{Name: "etcd-snapshot-compress"},
		&cli.StringFlag{Name: "name", Value: "on-demand"},
	}
	return &cli.Command{Name: "etcd-snapshot", Usage: "Manage etcd snapshots", Subcommands: []*cli.Command{
		{Name: "save", Usage: "Trigger an immediate etcd snapshot", Flags: flags, Action: actions["save"]},
		{Name: "ls", Aliases: []string{"list"}, Usage: "List snapshots", Flags: flags, Action: actions["ls"]},
	}}
}
