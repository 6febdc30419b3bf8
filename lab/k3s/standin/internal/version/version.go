// Package version has the version of K3s that this binary replaces, and says that it is not K3s.
package version

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

// Version is the K3s version that this binary replaces; set by -ldflags, together with that of Kubernetes.
var Version = "v0.0.0"

// Upstream is the version of the Kubernetes components.
var Upstream = "v0.0.0"

const Usage = "stand-in for K3s over upstream Kubernetes, for the lab only"

// Describe returns the text that each start logs.
func Describe() string {
	return fmt.Sprintf("%s (stand-in over upstream Kubernetes %s; not K3s)", Version, Upstream)
}

// Print answers `k3s --version` in the form of K3s: the version first, then its origin, then Go's version.
func Print(*cli.Context) {
	fmt.Printf("k3s version %s\ngo version %s\n", Describe(), runtime.Version())
}
