// Command k3s is the lab's stand-in for K3s: its command line, files, tokens and join over upstream Kubernetes.
//
// One static binary has everything: called as `k3s` it is the supervisor; called by the name of a Kubernetes component
// (argv[0]) it is that component. The supervisor starts the components from /proc/self/exe.
package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"k3s-standin/internal/agent"
	"k3s-standin/internal/cmdline"
	"k3s-standin/internal/payload"
	"k3s-standin/internal/server"
	"k3s-standin/internal/version"
)

func main() {
	if name := filepath.Base(os.Args[0]); runComponent(name) {
		return
	}
	app := cli.NewApp()
	app.Name = "k3s"
	app.Usage = version.Usage
	app.Version = version.Version
	app.DisableSliceFlagSeparator = true
	cli.VersionPrinter = version.Print
	app.Commands = []*cli.Command{
		{Name: "server", Usage: "Run management server", UsageText: "k3s server [OPTIONS]", Flags: cmdline.ServerFlags(), Action: server.Run},
		{Name: "agent", Usage: "Run node agent", UsageText: "k3s agent [OPTIONS]", Flags: cmdline.AgentFlags(), Action: agent.Run},
		passThrough("kubectl", "Run kubectl", func() { runComponent("kubectl") }),
		passThrough("ctr", "Run ctr", payload.ExecCtr),
		cmdline.TokenCommand(server.TokenActions),
		cmdline.EtcdSnapshotCommand(server.SnapshotActions),
	}
	args, err := cmdline.WithConfigFile(os.Args)
	if err != nil {
		logrus.Fatal(err)
	}
	// A start that a signal interrupts is no failure.
	if err := app.Run(args); err != nil && !errors.Is(err, context.Canceled) {
		logrus.Fatalf("Error: %v", err)
	}
}

// passThrough is a command whose arguments are for another program.
func passThrough(name, usage string, run func()) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, SkipFlagParsing: true, Action: func(c *cli.Context) error {
		os.Args = append([]string{name}, c.Args().Slice()...)
		run()
		return nil
	}}
}
