// Package bench measures what cosafs costs beside what it replaces: making an
// image against the same steps as plain scripts, and reading through a mount
// against reading the file. All results are ratios of measurements that took
// turns in one run, so that they mean the same on any machine.
package bench
