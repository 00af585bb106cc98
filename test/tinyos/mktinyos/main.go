// Command mktinyos writes the small OS of package tinyos: a repository of RPMs
// and a configuration, for the demonstration and for trying things by hand.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"cosafs/test/tinyos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mktinyos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("mktinyos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("o", "", "directory that gets repo/ and config/")
	debs := flags.String("debs", "", "directory that keeps downloaded Debian packages (default: cosafs/debs in the user's cache directory)")
	profile := flags.String("profile", string(tinyos.Tiny), "how much of an OS: tiny")
	arch := flags.String("arch", "x86_64", "RPM architecture: x86_64, aarch64")
	pkgs := flags.String("packages", "", "comma-separated packages to add to the manifest, such as hello")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" {
		return fmt.Errorf("no directory given; use -o DIR")
	}
	cfg := tinyos.Config{Dir: *out, Debs: *debs, Profile: tinyos.Profile(*profile), Arch: *arch}
	if *pkgs != "" {
		cfg.Packages = strings.Split(*pkgs, ",")
	}
	return tinyos.Make(ctx, cfg, stderr)
}
