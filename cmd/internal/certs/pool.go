package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
)

// readPool reads the authorities that sign clients' certificates.
func readPool(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	var pool *x509.CertPool
	if err == nil {
		pool, err = parsePool(data)
	}
	if err != nil {
		return nil, unusable("read client authorities", "give a PEM file with the certificates that sign those of clients", []string{path}, err)
	}
	return pool, nil
}

// parsePool is stricter than AppendCertsFromPEM, which leaves out what it can't
// read: whose authority is left out can't come in, and nobody would know why.
func parsePool(data []byte) (*x509.CertPool, error) {
	pool, number := x509.NewCertPool(), 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		number++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", number, err)
		}
		pool.AddCert(cert)
	}
	switch {
	case bytes.Contains(data, []byte("-----BEGIN")):
		return nil, fmt.Errorf("cut off after certificate %d: %w", number, fs.ErrInvalid)
	case number == 0:
		return nil, fmt.Errorf("no certificate in it: %w", fs.ErrInvalid)
	}
	return pool, nil
}
