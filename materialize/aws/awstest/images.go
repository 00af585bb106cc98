package awstest

import (
	"maps"
)

// An Image is what a test sees of an AMI.
type Image struct {
	ID, Name, Description, Arch, BootMode, IMDS, VolumeType, Snapshot string
	Tags                                                              map[string]string
	Users                                                             []string // who may launch it; "all" for everybody
	Available                                                         bool
}

// An image is an AMI of a region.
type image struct {
	Image
	looks int
}

// look tells the state as EC2 does. Its snapshot is completed with it.
func (im *image) look(r *region, looks int) string {
	if im.looks++; im.looks > looks {
		im.Available = true
		if s := r.snapshots[im.Snapshot]; s != nil {
			s.state, s.Completed = completed, true
		}
	}
	if im.Available {
		return "available"
	}
	return pending
}

// Images gives a region's AMIs, in the order in which they were made.
func (c *Cloud) Images(name string) []Image {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Image
	r := c.region(name)
	for _, id := range sortedIDs(r.images) {
		all = append(all, r.images[id].Image)
	}
	return all
}

// taken refuses a name that an AMI of the region has.
func (r *region) taken(name string) *failure {
	for _, im := range r.images {
		if im.Name == name {
			return refuse("InvalidAMIName.Duplicate", "the name %s is that of %s", name, im.ID)
		}
	}
	return nil
}

// registerImage makes an AMI of a completed snapshot.
func (q *query) registerImage(c *Cloud, r *region) (any, *failure) {
	disk := "BlockDeviceMapping.1."
	s := r.snapshots[q.form.Get(disk+"Ebs.SnapshotId")]
	arch, boot := q.form.Get("Architecture"), q.form.Get("BootMode")
	switch {
	case s == nil || s.state != completed:
		return nil, refuse("InvalidSnapshot.NotFound", "no completed snapshot %s", q.form.Get(disk+"Ebs.SnapshotId"))
	case q.form.Get("RootDeviceName") != q.form.Get(disk+"DeviceName"):
		return nil, refuse("InvalidBlockDeviceMapping", "the root device is not mapped")
	case q.form.Get("VirtualizationType") != "hvm" || q.form.Get("EnaSupport") != "true":
		return nil, refuse("InvalidParameterCombination", "the instance types of today need hvm and ENA")
	case arch != "x86_64" && (arch != "arm64" || boot != "uefi"):
		return nil, refuse("InvalidParameterValue", "no boot mode %s for %s", boot, arch)
	}
	if bad := r.taken(q.form.Get("Name")); bad != nil {
		return nil, bad
	}
	im := &image{Image: Image{
		ID: c.id("ami"), Name: q.form.Get("Name"), Description: q.form.Get("Description"), Arch: arch, BootMode: boot,
		IMDS: q.form.Get("ImdsSupport"), VolumeType: q.form.Get(disk + "Ebs.VolumeType"), Snapshot: s.ID,
		Tags: q.tags("TagSpecification.1.Tag"),
	}}
	r.images[im.ID] = im
	return imageID{ID: im.ID}, nil
}

// imageID is an answer with an AMI's id.
type imageID struct {
	ID string `xml:"imageId"`
}

// imageItem is an AMI in an answer.
type imageItem struct {
	ID       string `xml:"imageId"`
	Name     string `xml:"name"`
	About    string `xml:"description"`
	State    string `xml:"imageState"`
	Snapshot string `xml:"blockDeviceMapping>item>ebs>snapshotId"`
	Tags     []Tag  `xml:"tagSet>item"`
}

// describeImages lists AMIs by ids or name.
func (q *query) describeImages(c *Cloud, r *region) (any, *failure) {
	ids := q.list("ImageId")
	var items []imageItem
	for _, id := range sortedIDs(r.images) {
		if im := r.images[id]; q.wanted(ids, id, im.Name, im.Tags) {
			items = append(items, imageItem{id, im.Name, im.Description, im.look(r, c.Looks), im.Snapshot, tagList(im.Tags)})
		}
	}
	if len(items) < len(ids) {
		return nil, refuse("InvalidAMIID.NotFound", "no AMI %v", ids)
	}
	return struct {
		Items []imageItem `xml:"imagesSet>item"`
	}{Items: items}, nil
}

// copyImage copies an available AMI, with its snapshot, from another region.
func (q *query) copyImage(c *Cloud, r *region) (any, *failure) {
	token, params := q.form.Get("ClientToken"), q.form.Encode()
	if id, bad := r.once(q.action(), token, params, "IdempotentParameterMismatch"); id != "" || bad != nil {
		return imageID{ID: id}, bad
	}
	source := c.region(q.form.Get("SourceRegion"))
	from := source.images[q.form.Get("SourceImageId")]
	if from == nil || !from.Available || source == r {
		return nil, refuse("InvalidAMIID.Unavailable", "no available AMI %s in %s", q.form.Get("SourceImageId"), source.name)
	}
	if bad := r.taken(q.form.Get("Name")); bad != nil {
		return nil, bad
	}
	s := newSnapshot(c.id("snap"), pending)
	s.Size, s.Blocks = source.snapshots[from.Snapshot].Size, source.snapshots[from.Snapshot].Blocks
	im := &image{Image: from.Image}
	im.ID, im.Name, im.Snapshot, im.Available, im.Users = c.id("ami"), q.form.Get("Name"), s.ID, false, nil
	if im.Tags = map[string]string{}; q.form.Get("CopyImageTags") == "true" {
		maps.Copy(im.Tags, from.Tags)
	}
	r.snapshots[s.ID], r.images[im.ID] = s, im
	r.issue(q.action(), token, params, im.ID)
	return imageID{ID: im.ID}, nil
}

// modifyImage lets others launch an available AMI.
func (q *query) modifyImage(_ *Cloud, r *region) (any, *failure) {
	im := r.images[q.form.Get("ImageId")]
	if im == nil || !im.Available {
		return nil, refuse("InvalidAMIID.Unavailable", "no available AMI %s", q.form.Get("ImageId"))
	}
	q.each("LaunchPermission.Add", func(prefix string) {
		im.Users = union(im.Users, q.form.Get(prefix+"UserId")+q.form.Get(prefix+"Group"))
	})
	return done{true}, nil
}

// deregisterImage removes an AMI; its snapshot stays.
func (q *query) deregisterImage(_ *Cloud, r *region) (any, *failure) {
	id := q.form.Get("ImageId")
	if r.images[id] == nil {
		return nil, refuse("InvalidAMIID.NotFound", "no AMI %s", id)
	}
	delete(r.images, id)
	return done{true}, nil
}
