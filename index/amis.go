package index

import (
	"encoding/json"
	"fmt"
)

// keyAMIs is the key of the machine images of AWS in meta.json.
const keyAMIs = "amis"

// An AMI is an entry of meta.json's amis: a machine image in one region of AWS.
type AMI struct {
	Region   string `json:"name"`
	HVM      string `json:"hvm"` // the image's id
	Snapshot string `json:"snapshot"`
}

// AMIs gives the machine images in the order of the document, which is that of their
// uploads. A list that can't be understood is [ErrSchema].
func (m *Meta) AMIs() ([]AMI, error) {
	entries, err := m.rawAMIs()
	if err != nil {
		return nil, err
	}
	var all []AMI
	for _, e := range entries {
		ami, err := decodeAMI(e)
		if err != nil {
			return nil, err
		}
		all = append(all, ami)
	}
	return all, nil
}

// AddAMIs records machine images. One that is recorded already stays where it is; of
// the same region there is one, so another goes, and the new one comes last, as cosa
// has it. It says whether the document changed.
func (m *Meta) AddAMIs(added []AMI) (changed bool, err error) {
	entries, err := m.rawAMIs()
	if err != nil {
		return false, err
	}
	for _, ami := range added {
		kept, same, err := otherRegions(entries, ami)
		if err != nil {
			return false, err
		}
		if same {
			continue
		}
		entry, err := json.Marshal(ami)
		if err != nil {
			return false, fmt.Errorf("meta.json: amis: %w", err)
		}
		entries, changed = append(kept, entry), true
	}
	if !changed {
		return false, nil
	}
	return true, m.Set(keyAMIs, entries)
}

// otherRegions gives the entries of other regions than the AMI's. If it is recorded as
// it is, same is true.
func otherRegions(entries []json.RawMessage, ami AMI) (kept []json.RawMessage, same bool, err error) {
	for _, e := range entries {
		old, err := decodeAMI(e)
		if err != nil {
			return nil, false, err
		}
		same = same || old == ami
		if old.Region != ami.Region {
			kept = append(kept, e)
		}
	}
	return kept, same, nil
}

// rawAMIs gives the entries as they are: those of others may have more keys.
func (m *Meta) rawAMIs() (entries []json.RawMessage, err error) {
	list, ok := m.Get(keyAMIs)
	if !ok {
		return nil, nil
	}
	if err := json.Unmarshal(list, &entries); err != nil {
		return nil, fmt.Errorf("meta.json: %w: amis is no array", ErrSchema)
	}
	return entries, nil
}

func decodeAMI(entry json.RawMessage) (ami AMI, err error) {
	if err := json.Unmarshal(entry, &ami); err != nil {
		return ami, fmt.Errorf("meta.json: %w: amis has an entry that is no AMI: %s", ErrSchema, entry)
	}
	return ami, nil
}
