package awstest

// An importTask is an import of a disk from S3.
type importTask struct {
	id, description, snapshot string
	looks                     int
}

// Imports says how many imports a region has had.
func (c *Cloud) Imports(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.region(name).imports)
}

// importItem is an import in an answer.
type importItem struct {
	ID          string       `xml:"importTaskId"`
	Description string       `xml:"description"`
	Detail      importDetail `xml:"snapshotTaskDetail"`
}

// importDetail is the part of an import that is about its snapshot.
type importDetail struct {
	Status   string `xml:"status"`
	Snapshot string `xml:"snapshotId,omitempty"`
}

// importSnapshot starts an import.
func (q *query) importSnapshot(c *Cloud, r *region) (any, *failure) {
	token, params, disk := q.form.Get("ClientToken"), q.form.Encode(), "DiskContainer."
	id, bad := r.once(q.action(), token, params, "IdempotentParameterMismatch")
	switch {
	case bad != nil:
		return nil, bad
	case id != "":
		return importItem{ID: id}, nil
	case q.form.Get(disk+"Format") != "VMDK", q.form.Get(disk+"UserBucket.S3Bucket") == "", q.form.Get(disk+"UserBucket.S3Key") == "":
		return nil, refuse("InvalidParameter", "no VMDK in a bucket")
	case q.form.Get("RoleName") != "vmimport":
		return nil, refuse("InvalidParameter", "the service role %s does not exist", q.form.Get("RoleName"))
	}
	task := &importTask{id: c.id("import-snap"), description: q.form.Get("Description")}
	r.imports[task.id] = task
	r.issue(q.action(), token, params, task.id)
	return importItem{ID: task.id}, nil
}

// look tells how an import is. Its snapshot comes with its end.
func (t *importTask) look(c *Cloud, r *region) importDetail {
	if t.looks++; t.looks > c.Looks && t.snapshot == "" {
		s := newSnapshot(c.id("snap"), completed)
		s.Size, s.Completed = 1, true
		r.snapshots[s.ID], t.snapshot = s, s.ID
	}
	if t.snapshot == "" {
		return importDetail{Status: "active"}
	}
	return importDetail{"completed", t.snapshot}
}

// describeImports lists imports.
func (q *query) describeImports(c *Cloud, r *region) (any, *failure) {
	var items []importItem
	for _, id := range sortedIDs(r.imports) {
		if t := r.imports[id]; q.wanted(q.list("ImportTaskId"), id, "", nil) {
			items = append(items, importItem{id, t.description, t.look(c, r)})
		}
	}
	return struct {
		Items []importItem `xml:"importSnapshotTaskSet>item"`
	}{Items: items}, nil
}
