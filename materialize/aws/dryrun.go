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
	sums, err := digests(ctx, im)
	if err != nil {
		return err
	}
	p, first := &printer{u: u}, u.c.Regions[0]
	p.call(first, "StartSnapshot", u.startInput("<token>", im.Size()))
	p.call(first, "PutSnapshotBlock", map[string]any{"SnapshotId": newSnapshot, "DataLength": blockSize, "Blocks": len(sums)})
	p.call(first, "CompleteSnapshot", completeInput(newSnapshot, len(sums), linear(sums)))
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
	p.call(source.Region, "RegisterImage", u.registerInput(newSnapshot))
	p.share(source)
	return p.copies(source)
}

// copies writes the calls that copy an AMI.
func (p *printer) copies(source AMI) error {
	for _, name := range p.u.c.Regions[1:] {
		p.call(name, "CopyImage", p.u.copyInput(name, source))
		p.share(AMI{Region: name, HVM: newImage, Snapshot: newSnapshot})
	}
	return p.err
}

// share writes the calls that give an AMI its tags and permissions.
func (p *printer) share(ami AMI) {
	p.call(ami.Region, "CreateTags", p.u.tagInput(ami))
	if in := p.u.launchInput(ami); in != nil {
		p.call(ami.Region, "ModifyImageAttribute", in)
	}
	if in := p.u.volumeInput(ami); in != nil {
		p.call(ami.Region, "ModifySnapshotAttribute", in)
	}
}
