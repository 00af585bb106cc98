package awstest

import (
	"maps"
	"slices"
)

// The states of a snapshot. EC2 tells the first two as pending.
const (
	open      = "open" // takes blocks
	pending   = "pending"
	completed = "completed"
	failed    = "error"
)

// A Tag is a tag in the protocols.
type Tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// tagMap gives tags by their keys.
func tagMap(tags []Tag) map[string]string {
	m := map[string]string{}
	for _, tag := range tags {
		m[tag.Key] = tag.Value
	}
	return m
}

// tagList gives tags in the order of their keys.
func tagList(m map[string]string) []Tag {
	var tags []Tag
	for _, key := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, Tag{key, m[key]})
	}
	return tags
}

// A Snapshot is what a test sees of a snapshot.
type Snapshot struct {
	ID, Description string
	Size            int64 // GiB
	Tags            map[string]string
	Blocks          map[int64][]byte
	Users           []string // who may make volumes of it
	Completed       bool
}

// A snapshot is a snapshot of a region.
type snapshot struct {
	Snapshot
	state string
	looks int
}

// newSnapshot makes a snapshot.
func newSnapshot(id, state string) *snapshot {
	return &snapshot{Snapshot: Snapshot{ID: id, Tags: map[string]string{}, Blocks: map[int64][]byte{}}, state: state}
}

// look tells the state as EC2 does. What is finished is seen so after some looks.
func (s *snapshot) look(looks int) string {
	if s.state == pending {
		if s.looks++; s.looks > looks {
			s.state, s.Completed = completed, true
		}
	}
	if s.state == open {
		return pending
	}
	return s.state
}

// Snapshots gives a region's snapshots, in the order in which they were made.
func (c *Cloud) Snapshots(name string) []Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Snapshot
	r := c.region(name)
	for _, id := range sortedIDs(r.snapshots) {
		all = append(all, r.snapshots[id].Snapshot)
	}
	return all
}

// Expire lets all snapshots of a region that nobody completed fail, as AWS does after
// their timeout.
func (c *Cloud) Expire(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.region(name).snapshots {
		if s.state == open {
			s.state = failed
		}
	}
}

// snapshotItem is a snapshot in an answer.
type snapshotItem struct {
	ID     string `xml:"snapshotId"`
	Status string `xml:"status"`
	Size   int64  `xml:"volumeSize"`
	Tags   []Tag  `xml:"tagSet>item"`
}

// describeSnapshots lists snapshots by ids or tags.
func (q *query) describeSnapshots(c *Cloud, r *region) (any, *failure) {
	ids := q.list("SnapshotId")
	var items []snapshotItem
	for _, id := range sortedIDs(r.snapshots) {
		if s := r.snapshots[id]; q.wanted(ids, id, "", s.Tags) {
			items = append(items, snapshotItem{id, s.look(c.Looks), s.Size, tagList(s.Tags)})
		}
	}
	if len(items) < len(ids) {
		return nil, refuse("InvalidSnapshot.NotFound", "no snapshot %v", ids)
	}
	return struct {
		Items []snapshotItem `xml:"snapshotSet>item"`
	}{Items: items}, nil
}

// deleteSnapshot deletes a snapshot that no image uses.
func (q *query) deleteSnapshot(_ *Cloud, r *region) (any, *failure) {
	id := q.form.Get("SnapshotId")
	if r.snapshots[id] == nil {
		return nil, refuse("InvalidSnapshot.NotFound", "no snapshot %s", id)
	}
	for _, im := range r.images {
		if im.Snapshot == id {
			return nil, refuse("InvalidSnapshot.InUse", "%s is used by %s", id, im.ID)
		}
	}
	delete(r.snapshots, id)
	return done{true}, nil
}

// modifySnapshot lets others make volumes of a snapshot.
func (q *query) modifySnapshot(_ *Cloud, r *region) (any, *failure) {
	s := r.snapshots[q.form.Get("SnapshotId")]
	if s == nil || s.state != completed {
		return nil, refuse("InvalidSnapshot.NotFound", "no completed snapshot %s", q.form.Get("SnapshotId"))
	}
	q.each("CreateVolumePermission.Add", func(prefix string) { s.Users = union(s.Users, q.form.Get(prefix+"UserId")) })
	return done{true}, nil
}

// createTags tags snapshots and images.
func (q *query) createTags(_ *Cloud, r *region) (any, *failure) {
	var targets []map[string]string
	for _, id := range q.list("ResourceId") {
		switch {
		case r.snapshots[id] != nil:
			targets = append(targets, r.snapshots[id].Tags)
		case r.images[id] != nil:
			targets = append(targets, r.images[id].Tags)
		default:
			return nil, refuse("InvalidID", "nothing has the id %q", id)
		}
	}
	for _, tags := range targets {
		maps.Copy(tags, q.tags("Tag"))
	}
	return done{true}, nil
}

// union adds a name to names if it isn't there.
func union(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}
