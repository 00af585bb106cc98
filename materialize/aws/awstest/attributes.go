package awstest

// A permission is one of an AMI or a snapshot, in an answer.
type permission struct {
	User  string `xml:"userId,omitempty"`
	Group string `xml:"group,omitempty"`
}

// permissions gives those of users; "all" is the group of everybody.
func permissions(users []string) []permission {
	var all []permission
	for _, user := range users {
		if user == "all" {
			all = append(all, permission{Group: user})
		} else {
			all = append(all, permission{User: user})
		}
	}
	return all
}

// launchPermissions tells who may launch an AMI.
func (q *query) launchPermissions(_ *Cloud, r *region) (any, *failure) {
	id := q.form.Get("ImageId")
	im := r.images[id]
	switch {
	case im == nil:
		return nil, refuse("InvalidAMIID.NotFound", "no AMI %s", id)
	case q.form.Get("Attribute") != "launchPermission":
		return nil, refuse("InvalidParameterValue", "no attribute %s", q.form.Get("Attribute"))
	}
	return struct {
		ID  string       `xml:"imageId"`
		All []permission `xml:"launchPermission>item"`
	}{id, permissions(im.Users)}, nil
}

// volumePermissions tells who may make volumes of a snapshot.
func (q *query) volumePermissions(_ *Cloud, r *region) (any, *failure) {
	id := q.form.Get("SnapshotId")
	s := r.snapshots[id]
	switch {
	case s == nil:
		return nil, refuse("InvalidSnapshot.NotFound", "no snapshot %s", id)
	case q.form.Get("Attribute") != "createVolumePermission":
		return nil, refuse("InvalidParameterValue", "no attribute %s", q.form.Get("Attribute"))
	}
	return struct {
		ID  string       `xml:"snapshotId"`
		All []permission `xml:"createVolumePermission>item"`
	}{id, permissions(s.Users)}, nil
}

// describeRegions lists the account's regions.
func (q *query) describeRegions(c *Cloud, _ *region) (any, *failure) {
	type item struct {
		Name string `xml:"regionName"`
	}
	var items []item
	for _, name := range c.Regions {
		items = append(items, item{name})
	}
	return struct {
		Items []item `xml:"regionInfo>item"`
	}{items}, nil
}
