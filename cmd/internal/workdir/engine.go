package workdir

import (
	"os/exec"

	"cosafs/materialize"
	"cosafs/materialize/compose"
)

// composer chooses the compose engine: the one that was asked for, else
// rpm-ostree where it can be run, else dnf.
func (w *Workdir) composer(cfg compose.Config) materialize.Composer {
	engine := w.cfg.Engine
	if engine == "" && (cfg.Container != "" || hasProgram("rpm-ostree")) {
		engine = "rpm-ostree"
	}
	if engine == "rpm-ostree" {
		return compose.NewRPMOSTree(cfg)
	}
	return compose.NewDNF(cfg)
}

func hasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
