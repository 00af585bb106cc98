package guest_test

import (
	"errors"
	"testing"

	"cosafs/materialize/guest"
)

func TestMainOutsideTheAppliance(t *testing.T) {
	if err := guest.Main(t.Context()); !errors.Is(err, guest.ErrNotInit) {
		t.Errorf("got %v, want ErrNotInit", err)
	}
}
