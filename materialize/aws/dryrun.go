package aws

import (
	"context"
	"encoding/json"
	"fmt"

	"cosafs/materialize/disk/view"
)

// A printer writes calls that would be sent, one a line: region, action, parameters.
type printer struct {
	u   *Uploader
	err error // the first
}

// call writes one call.
func (p *printer) call(region, action string, input any) {
	text, err := json.Marshal(input)
	if err == nil {
		_, err = fmt.Fprintf(p.u.c.DryRun, "%s %s %s\n", region, action, text)
	}
	if p.err == nil {
		p.err = err
	}
}

// Stand-ins for ids that only AWS gives.
const (
	newSnapshot = "<snapshot>"
	newImage    = "<image>"
)

// printUpload writes the calls of Upload. The many puts are one line.
func (u *Uploader) printUpload(ctx context.Context, im view.Image) error {
	count := 0
	err := blocks(im, func(index int32) error {
		block, err := readBlock(ctx, im, index)
		if err == nil && !zero(block) {
			count++
		}
		return err
	})
	if err != nil {
		return err
	}
	p, first := &printer{u: u}, u.c.Regions[0]
	p.call(first, "StartSnapshot", u.startInput("<token>", im.Size()))
	p.call(first, "PutSnapshotBlock", map[string]any{"SnapshotId": newSnapshot, "DataLength": blockSize, "Blocks": count})
	p.call(first, "CompleteSnapshot", completeInput(newSnapshot, count, "<checksum>"))
	return p.rest()
}

// printImport writes the calls of Import.
func (u *Uploader) printImport(o Object) error {
	p := &printer{u: u}
	p.call(u.c.Regions[0], "PutObject", map[string]string{"Bucket": o.Bucket, "Key": o.Key})
	p.call(u.c.Regions[0], "ImportSnapshot", u.importInput("<token>", o))
	return p.rest()
}

// rest writes the calls that follow the snapshot.
func (p *printer) rest() error {
	u := p.u
	source := AMI{Region: u.c.Regions[0], HVM: newImage, Snapshot: newSnapshot}
	for i, name := range u.c.Regions {
		if i == 0 {
			p.call(name, "RegisterImage", u.registerInput(newSnapshot))
		} else {
			p.call(name, "CopyImage", u.copyInput(name, source))
		}
		p.call(name, "CreateTags", u.tagInput(source))
		if in := u.launchInput(source); in != nil {
			p.call(name, "ModifyImageAttribute", in)
		}
		if in := u.volumeInput(source); in != nil {
			p.call(name, "ModifySnapshotAttribute", in)
		}
	}
	return p.err
}
