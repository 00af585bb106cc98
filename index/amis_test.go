package index_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cosafs/index"
)

// ami makes an entry.
func ami(region, id string) index.AMI {
	return index.AMI{Region: region, HVM: id, Snapshot: "snap-" + id}
}

func TestAddAMIs(t *testing.T) {
	a, b, c := ami("a", "1"), ami("b", "2"), ami("c", "3")
	newA := ami("a", "4")
	for _, tt := range []struct {
		name              string
		have, added, want []index.AMI
		changed           bool
	}{
		{"first", nil, []index.AMI{b, a}, []index.AMI{b, a}, true},
		{"another region", []index.AMI{a}, []index.AMI{c, b}, []index.AMI{a, c, b}, true},
		{"same region goes last", []index.AMI{a, b}, []index.AMI{newA}, []index.AMI{b, newA}, true},
		{"the same", []index.AMI{a, b}, []index.AMI{a}, []index.AMI{a, b}, false},
		{"nothing", []index.AMI{a}, nil, []index.AMI{a}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := index.NewMeta()
			if _, err := m.AddAMIs(tt.have); err != nil {
				t.Fatal(err)
			}
			changed, err := m.AddAMIs(tt.added)
			if err != nil || changed != tt.changed {
				t.Errorf("changed %v, %v", changed, err)
			}
			got, err := parseMeta(t, m.Bytes()).AMIs()
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestAddAMIsKeepsWhatOthersWrote(t *testing.T) {
	m := meta(t, `{"amis": [{"name": "a", "hvm": "1", "snapshot": "s", "more": [1]}]}`)
	if _, err := m.AddAMIs([]index.AMI{ami("b", "2")}); err != nil {
		t.Fatal(err)
	}
	want := `[{"name": "a", "hvm": "1", "snapshot": "s", "more": [1]}, {"name": "b", "hvm": "2", "snapshot": "snap-2"}]`
	if got, _ := m.Get("amis"); string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestOddAMIs(t *testing.T) {
	for _, amis := range []string{`{"us-east-1": {"hvm": "ami-1"}}`, `["ami-1"]`, `3`} {
		m := meta(t, `{"amis": `+amis+`}`)
		if _, err := m.AMIs(); !errors.Is(err, index.ErrSchema) {
			t.Errorf("%s: %v", amis, err)
		}
		if _, err := m.AddAMIs([]index.AMI{ami("a", "1")}); !errors.Is(err, index.ErrSchema) {
			t.Errorf("add to %s: %v", amis, err)
		}
	}
}
