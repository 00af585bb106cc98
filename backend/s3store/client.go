package s3store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"

	"cosafs/backend/internal/httplink"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// newClient gives a client for cfg, and a func that closes its idle connections.
func newClient(ctx context.Context, cfg Config) (*s3.Client, func(), error) {
	// The SDK adds AWS_CA_BUNDLE to a client of this type only.
	base := awshttp.NewBuildableClient()
	if cfg.CAFile != "" {
		roots, err := httplink.Authorities(cfg.CAFile)
		if err != nil {
			return nil, nil, err
		}
		base = base.WithTransportOptions(func(tr *http.Transport) {
			tr.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
		})
	}
	common, err := config.LoadDefaultConfig(ctx, loadOptions(cfg, base)...)
	if err != nil {
		return nil, nil, fmt.Errorf("AWS configuration: %w", err)
	}
	if full, ok := common.HTTPClient.(*awshttp.BuildableClient); ok {
		base = full
	}
	tr := transport(base.GetTransport(), cfg)
	client := s3.NewFromConfig(common, func(o *s3.Options) { setOptions(o, cfg, tr) })
	return client, tr.CloseIdleConnections, nil
}

// loadOptions says what of AWS's own configuration is replaced.
func loadOptions(cfg Config, client aws.HTTPClient) []func(*config.LoadOptions) error {
	opts := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithLogger(logging.Nop{})}
	if cfg.Region != "" {
		opts = append(opts, config.WithRegion(cfg.Region))
	}
	if cfg.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(cfg.Profile))
	}
	if cfg.ConfigFile != "" {
		opts = append(opts, config.WithSharedConfigFiles([]string{cfg.ConfigFile}))
	}
	if cfg.Anonymous {
		opts = append(opts, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	return opts
}

// setOptions sets what this package needs of S3's client.
func setOptions(o *s3.Options, cfg Config, tr http.RoundTripper) {
	// A redirect names another region's server, where the signature would not hold.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTPClient = &http.Client{Transport: tr, CheckRedirect: stay}
	if cfg.Endpoint != "" {
		o.BaseEndpoint = &cfg.Endpoint
	}
	if o.Region == "" {
		o.Region = "us-east-1" // S3's own default; a bucket elsewhere says where it is
	}
	o.UsePathStyle = cfg.PathStyle || o.BaseEndpoint != nil
	o.Retryer = aws.NopRetryer{}
	// We name the checksum of what we write. The one that the SDK adds by itself is
	// refused by some stores and not verified by others, and objects have a sha256.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	if !cfg.Anonymous {
		o.Credentials = credentials{o.Credentials}
	}
}

// credentials marks the error of finding none: asking again would not help.
type credentials struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if c.CredentialsProvider == nil {
		return aws.Credentials{}, &noCredentials{errors.New("there is no provider")}
	}
	found, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return found, &noCredentials{err}
	}
	return found, nil
}

// noCredentials is the error of a request that could not be signed.
type noCredentials struct{ err error }

func (e *noCredentials) Error() string { return e.err.Error() }
func (e *noCredentials) Unwrap() error { return e.err }
