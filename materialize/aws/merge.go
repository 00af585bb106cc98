package aws

import "slices"

// Merge gives meta.json's `amis` with those of an upload: entries of the same
// regions go, the new ones come last, in the order of the upload, as cosa has it
// (`ore aws upload`, aws-replicate). Neither argument is changed.
func Merge(existing, added []AMI) []AMI {
	merged := slices.Clone(existing)
	for _, ami := range added {
		merged = slices.DeleteFunc(merged, func(old AMI) bool { return old.Region == ami.Region })
		merged = append(merged, ami)
	}
	return merged
}
