import * as fs from "node:fs";
import * as path from "node:path";

import { K3S_OPTIONS, OWNED_KEYS, SECRET_KEYS } from "../../../config/k3sOptions";
import { readK3sFlags } from "../../../scripts-dev/k3sFlags";

const SOURCE = [
  `package cmds
var (
	Token = &cli.StringFlag{
		Name:        "token",
		Aliases:     []string{"t"},
		EnvVars:     []string{version.ProgramUpper + "_TOKEN"},
	}
	Verbosity = &cli.IntFlag{
		Name:        "v",
	}
)

var ServerFlags = []cli.Flag{
	Token,
	Verbosity,
	&cli.BoolFlag{
		Name:  "tls-san-security",
		Value: true,
	},
	// Hidden
	&cli.StringSliceFlag{
		Hidden: true,
		Name:   "disable",
	},
}
`,
  `package cmds
func NewAgentCommand(action func(ctx *cli.Context) error) *cli.Command {
	return &cli.Command{
		Name:      "agent",
		Flags: []cli.Flag{
			Token,
			&cli.StringFlag{
				Name:    "server",
				Aliases: []string{"s"},
			},
		},
	}
}
`,
];

it("reads the options of servers and agents, and the short names, from K3s' source", () => {
  expect(readK3sFlags(SOURCE)).toEqual({
    server: ["disable", "tls-san-security", "token", "v"],
    agent: ["server", "token"],
    short: { s: "server", t: "token" },
  });
});

it("fails if the source has an unknown form, and does not just find fewer options", () => {
  expect(() => readK3sFlags([SOURCE[0]!])).toThrow("no list of the agent's flags");
  expect(() => readK3sFlags([SOURCE[0]!.replace("Token =", "Other ="), SOURCE[1]!])).toThrow(
    "no file declares the flag Token of the server",
  );
});

it("knows every option that the program itself writes or refuses", () => {
  const known = new Set([...K3S_OPTIONS.server, ...K3S_OPTIONS.agent]);
  expect([...Object.keys(OWNED_KEYS), ...Object.keys(SECRET_KEYS)].filter((key) => !known.has(key))).toEqual([]);
});

it("refuses every option of K3s that takes a credential", () => {
  const named = [...K3S_OPTIONS.server, ...K3S_OPTIONS.agent].filter((key) =>
    /token|password|secret-key|access-key|auth|endpoint$/.test(key),
  );
  const free = named.filter((key) => !Object.hasOwn(OWNED_KEYS, key) && !Object.hasOwn(SECRET_KEYS, key));
  // A file's path, two sockets, and an address of S3 whose user part is refused in every value.
  expect([...new Set(free)].sort()).toEqual([
    "container-runtime-endpoint",
    "disable-default-registry-endpoint",
    "etcd-s3-endpoint",
    "image-service-endpoint",
    "vpn-auth-file",
  ]);
});

it("is the same list as in the lab's stand-in for K3s, which was written by hand", () => {
  const flags = path.join(__dirname, "../../../lab/k3s/standin/internal/cmdline/flags.go");
  const declarations = /\nvar \(\n([^]*?)\n\)\n/.exec(fs.readFileSync(flags, "utf8"))?.[1] ?? "";
  const listed = [...declarations.matchAll(/"([^"]+)"/g)].flatMap(([, names = ""]) => names.split(" "));
  const known = [...K3S_OPTIONS.server, ...K3S_OPTIONS.agent, ...Object.keys(K3S_OPTIONS.short)];
  expect([...new Set(listed)].sort()).toEqual([...new Set(known)].sort());
});
