package aws_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"cosafs/materialize"
	"cosafs/materialize/aws"
	"cosafs/materialize/aws/awstest"
)

// seq is the numbers below n.
func seq(n int64) (s []int64) {
	for i := range n {
		s = append(s, i)
	}
	return s
}

func TestCancelledUploadGoesOn(t *testing.T) {
	for _, tt := range []struct {
		name    string
		state   bool
		maxPuts int
		expire  bool
	}{
		{name: "with its journal", state: true, maxPuts: 40 + 2},
		{name: "without a journal", maxPuts: 40 + 20},
		{name: "after the snapshot expired", state: true, expire: true, maxPuts: 40 + 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := awstest.New()
			ctx, cancel := context.WithCancel(t.Context())
			cloud.Fault = func(call awstest.Call) awstest.Fault {
				if call.Action == "PutSnapshotBlock" && call.N == 20 {
					cancel()
				}
				return awstest.None
			}
			cfg, im, c := serve(t, cloud), disk(t, 100*block, seq(40)...), config("us-east-1", "eu-west-1")
			if c.Parallel = 1; tt.state {
				c.State = t.TempDir()
			}
			if _, err := upload(ctx, t, cfg, c, im); !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled upload: %v", err)
			}
			if tt.expire {
				cloud.Expire("us-east-1")
			}
			amis, err := upload(t.Context(), t, cfg, c, im)
			if err != nil {
				t.Fatal(err)
			}
			for _, ami := range amis {
				s, _ := one(t, cloud, ami)
				sameBytes(t, s, im)
			}
			if left, err := filepath.Glob(filepath.Join(c.State, "*.blocks")); tt.state && (err != nil || len(left) > 0) {
				t.Errorf("journals that stay: %v, %v", left, err)
			}
			if puts := cloud.Count("PutSnapshotBlock"); puts > tt.maxPuts {
				t.Errorf("%d puts, want at most %d", puts, tt.maxPuts)
			}
		})
	}
}

// actions are the calls of an upload.
var actions = []string{
	"StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot", "DescribeSnapshots", "RegisterImage", "DescribeImages",
	"CopyImage", "CreateTags", "ModifyImageAttribute",
}

func TestFaultsOfTheCloudAreRetried(t *testing.T) {
	for fault, name := range map[awstest.Fault]string{awstest.Throttle: "throttle", awstest.Refuse: "refuse", awstest.Drop: "drop", awstest.Cut: "cut"} {
		for _, action := range actions {
			t.Run(name+" "+action, func(t *testing.T) {
				cloud := awstest.New()
				cloud.Fault = func(call awstest.Call) awstest.Fault {
					if call.Action == action && call.N <= 3 {
						return fault
					}
					return awstest.None
				}
				c := config("us-east-1", "eu-west-1")
				c.Public = true
				amis, err := upload(t.Context(), t, serve(t, cloud), c, disk(t, 8*block, seq(8)...))
				if err != nil || len(amis) != 2 {
					t.Fatalf("%v, %v", amis, err)
				}
				for _, ami := range amis {
					one(t, cloud, ami)
				}
			})
		}
	}
}

// Each call in turn is the last of a first upload, done or not.
func TestStoppedAtAnyCallGoesOn(t *testing.T) {
	for n := 1; ; n++ {
		for _, done := range []bool{false, true} {
			if !stopAt(t, n, done) {
				return
			}
		}
	}
}

// stopAt stops an upload at its nth call and starts it again. It says whether there
// was an nth call.
func stopAt(t *testing.T, n int, done bool) (stopped bool) {
	t.Helper()
	t.Run(fmt.Sprintf("call %d, done %v", n, done), func(t *testing.T) {
		cloud := awstest.New()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var calls atomic.Int64
		cloud.Fault = func(awstest.Call) awstest.Fault {
			if calls.Add(1) != int64(n) {
				return awstest.None
			}
			stopped = true
			cancel()
			if done {
				return awstest.Cut
			}
			return awstest.Drop
		}
		cfg, im, c := serve(t, cloud), disk(t, 4*block, seq(4)...), config("us-east-1", "eu-west-1")
		c.Parallel, c.State = 1, t.TempDir()
		if _, err := upload(ctx, t, cfg, c, im); stopped != errors.Is(err, context.Canceled) {
			t.Fatalf("stopped %v: %v", stopped, err)
		}
		amis, err := upload(t.Context(), t, cfg, c, im)
		if err != nil || len(amis) != 2 {
			t.Fatalf("%v, %v", amis, err)
		}
		for _, ami := range amis {
			s, _ := one(t, cloud, ami)
			sameBytes(t, s, im)
		}
	})
	return stopped
}

func TestDeniedCallsTellWhatToDo(t *testing.T) {
	for _, action := range actions {
		t.Run(action, func(t *testing.T) {
			cloud := awstest.New()
			cloud.Fault = func(call awstest.Call) awstest.Fault {
				if call.Action == action {
					return awstest.Deny
				}
				return awstest.None
			}
			c := config("us-east-1", "eu-west-1")
			c.Public = true
			_, err := upload(t.Context(), t, serve(t, cloud), c, disk(t, block, 0))
			if class, hint := materialize.ClassOf(err); err == nil || class != materialize.ClassConfig || hint == "" {
				t.Errorf("%v: class %s, hint %q", err, class, hint)
			}
			if cloud.Count(action) != 1 {
				t.Errorf("a denied call was sent %d times", cloud.Count(action))
			}
		})
	}
}

func TestOneRegionFailsTheOthersAreThere(t *testing.T) {
	cloud := awstest.New()
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if call.Region == "eu-west-1" {
			return awstest.Deny
		}
		return awstest.None
	}
	amis, err := upload(t.Context(), t, serve(t, cloud), config("us-east-1", "eu-west-1", "ap-south-1"), disk(t, block, 0))
	if err == nil || len(amis) != 2 || amis[0].Region != "us-east-1" || amis[1].Region != "ap-south-1" {
		t.Fatalf("%v, %v; want two AMIs beside the error", amis, err)
	}
	for _, ami := range amis {
		one(t, cloud, ami)
	}
}

func TestImport(t *testing.T) {
	for _, action := range []string{"", "ImportSnapshot", "DescribeImportSnapshotTasks", "CreateTags", "RegisterImage"} {
		t.Run("stopped after "+action, func(t *testing.T) {
			cloud := awstest.New()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cloud.Fault = func(call awstest.Call) awstest.Fault {
				if call.Action == action && call.N == 1 {
					cancel()
					return awstest.Cut
				}
				return awstest.None
			}
			cfg, puts, deletes := serve(t, cloud), 0, 0
			object := aws.Object{
				Bucket: "b", Key: "ami-import/tiny.vmdk",
				Put:    func(context.Context) error { puts++; return nil },
				Delete: func(context.Context) error { deletes++; return nil },
			}
			u, err := aws.New(cfg, config("us-east-1", "eu-west-1"))
			if err != nil {
				t.Fatal(err)
			}
			task := &materialize.Task{Log: t.Output()}
			if _, err := u.Import(ctx, object, task); (action != "") != errors.Is(err, context.Canceled) {
				t.Fatalf("first import: %v", err)
			}
			amis, err := u.Import(t.Context(), object, task)
			if err != nil || len(amis) != 2 {
				t.Fatalf("%v, %v", amis, err)
			}
			for _, ami := range amis {
				one(t, cloud, ami)
			}
			if puts == 0 || puts > 2 {
				t.Errorf("the object was put %d times", puts)
			}
		})
	}
}

func TestImportWhoseAnswerIsLostIsOne(t *testing.T) {
	cloud := awstest.New()
	cloud.Fault = func(call awstest.Call) awstest.Fault {
		if call.Action == "ImportSnapshot" && call.N <= 2 {
			return awstest.Cut
		}
		return awstest.None
	}
	u, err := aws.New(serve(t, cloud), config("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	object := aws.Object{Bucket: "b", Key: "k.vmdk", Put: func(context.Context) error { return nil }}
	amis, err := u.Import(t.Context(), object, &materialize.Task{Log: t.Output()})
	if err != nil || cloud.Count("ImportSnapshot") != 3 {
		t.Fatalf("%v, %v after %d calls", amis, err, cloud.Count("ImportSnapshot"))
	}
	if n := cloud.Imports("us-east-1"); n != 1 {
		t.Errorf("%d imports, want 1", n)
	}
	one(t, cloud, amis[0])
}
