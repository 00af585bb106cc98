package bench

// newStoreTable gives the table of one network.
func newStoreTable(name string) *table[reading] {
	return &table[reading]{name: name, columns: storeColumns(), against: []against[reading]{
		peerOf[reading](raw),
		{"best other", func(t *table[reading], c column[reading]) float64 { return t.best(c) }},
	}}
}

func storeColumns() []column[reading] {
	return []column[reading]{
		{"first ms", func(r reading) float64 { return float64(r.first.Microseconds()) / 1000 }, true},
		{"cold MB/s", func(r reading) float64 { return r.cold }, false},
		{"4k t1/s", func(r reading) float64 { return r.rand4[0] }, false},
		{"4k t8/s", func(r reading) float64 { return r.rand4[1] }, false},
		{"64k t1/s", func(r reading) float64 { return r.rand64[0] }, false},
		{"64k t8/s", func(r reading) float64 { return r.rand64[1] }, false},
		{"warm MB/s", func(r reading) float64 { return r.warm }, false},
		{"CPU s/GiB", func(r reading) float64 { return r.cpu }, true},
		{"peak MiB", func(r reading) float64 { return r.peak }, true},
	}
}
