package appliance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/appliance"
	"cosafs/materialize/guest"
)

// TestMain lets the test program be the guest's init, as cosafs is.
func TestMain(m *testing.M) {
	if guest.IsInit() {
		fmt.Fprintln(os.Stderr, guest.Main(context.Background()))
	}
	os.Exit(m.Run())
}

// need skips a test where a program is missing, or fails it if the environment
// says that it must not be.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a virtual machine")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if slices.Contains(strings.Split(os.Getenv("COSAFS_TEST_REQUIRE"), ","), program) {
			t.Fatalf("%s is required, but not installed", program)
		}
		t.Skipf("%s is not installed", program)
	}
}

func newTask(t *testing.T) *materialize.Task {
	t.Helper()
	return &materialize.Task{Job: t.Name(), Scratch: t.TempDir(), Log: t.Output()}
}

// prepared gives an appliance of its own to each test: they kill what uses it.
func prepared(t *testing.T) *appliance.Appliance {
	t.Helper()
	need(t, "supermin", "qemu-system-x86_64")
	a, err := appliance.Prepare(t.Context(), appliance.Config{Dir: t.TempDir()}, newTask(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// wantClass fails the test if err isn't a failure of the class, with a hint.
func wantClass(t *testing.T, err error, class materialize.Class) {
	t.Helper()
	var f *materialize.Failure
	if !errors.As(err, &f) || f.Class != class || f.Hint == "" {
		t.Fatalf("got %v, want a failure of class %s with a hint", err, class)
	}
}

func TestGuestError(t *testing.T) {
	a := prepared(t)
	up := false
	_, err := a.Run(t.Context(), appliance.Run{Job: guest.Job{}}, newTask(t), func(e appliance.Event) { up = up || e.Up })
	wantClass(t, err, materialize.ClassGuest)
	if !up || !strings.Contains(err.Error(), guest.TargetDisk) {
		t.Errorf("up = %v, error %v; want the guest to come up and miss its disk", up, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(a.Dir), "kvm.json")); err != nil && os.Getenv("COSA_NO_KVM") == "" {
		if _, kerr := os.Stat("/dev/kvm"); kerr == nil {
			t.Errorf("whether KVM works was not remembered: %v", err)
		}
	}
}
