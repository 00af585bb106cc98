package pack

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"
)

// Media types of the OCI image format specification 1.0.
const (
	indexType    = "application/vnd.oci.image.index.v1+json"
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// A descriptor points to a blob.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

// blob is the name of its file in a layout.
func (d descriptor) blob() string { return "blobs/" + strings.Replace(d.Digest, ":", "/", 1) }

type ociManifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type ociIndex struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type ociConfig struct {
	Created      string       `json:"created"`
	Architecture string       `json:"architecture"`
	OS           string       `json:"os"`
	Config       ociRun       `json:"config"`
	RootFS       ociRootFS    `json:"rootfs"`
	History      []ociHistory `json:"history"`
}

type ociRun struct {
	Labels map[string]string `json:"Labels,omitempty"`
}

type ociRootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type ociHistory struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

// A layoutFile is a small file of a layout.
type layoutFile struct {
	name    string
	content []byte
}

// layoutFiles gives all files of the layout but the layer.
func layoutFiles(layer ociLayer, o KubevirtOptions) ([]layoutFile, error) {
	config, configFile, err := document(configType, layerConfig(layer, o))
	if err != nil {
		return nil, err
	}
	manifest, manifestFile, err := document(manifestType, ociManifest{
		SchemaVersion: 2, MediaType: manifestType,
		Config: config, Layers: []descriptor{layer.descriptor},
	})
	if err != nil {
		return nil, err
	}
	index, err := json.Marshal(ociIndex{SchemaVersion: 2, MediaType: indexType, Manifests: []descriptor{manifest}})
	if err != nil {
		return nil, err
	}
	return []layoutFile{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", index},
		manifestFile,
		configFile,
	}, nil
}

// layerConfig tells of an image with the layer alone.
func layerConfig(layer ociLayer, o KubevirtOptions) ociConfig {
	created := o.Time.UTC().Format(time.RFC3339)
	c := ociConfig{
		Created:      created,
		Architecture: ociArch(o.Arch),
		OS:           "linux",
		RootFS:       ociRootFS{Type: "layers", DiffIDs: []string{layer.diffID}},
		History:      []ociHistory{{Created: created, CreatedBy: "ADD " + o.Name + " /disk/"}},
	}
	if o.Version != "" {
		c.Config.Labels = map[string]string{"version": o.Version}
	}
	return c
}

// document gives a JSON document as a blob.
func document(mediaType string, v any) (descriptor, layoutFile, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, layoutFile{}, err
	}
	sum := sha256.New()
	_, _ = sum.Write(b) // a hash takes all
	d := descriptor{MediaType: mediaType, Digest: digestOf(sum), Size: int64(len(b))}
	return d, layoutFile{d.blob(), b}, nil
}
