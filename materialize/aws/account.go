package aws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"cosafs/materialize"
)

// An Access says how to reach AWS beside what its own programs read: environment,
// AWS_ENDPOINT_URL and its like included, and configuration files.
type Access struct {
	ConfigFile string // AWS configuration file instead of ~/.aws/config; "" = that
	CAFile     string // PEM file of authorities to trust as well as the system's; "" = none
}

// An Account is one of AWS, as who signs its calls sees it. It is safe for concurrent
// use.
type Account struct{ sdk sdk.Config }

// Open reads the configuration. Nothing is asked of AWS; credentials are looked for
// when they are needed first.
func Open(ctx context.Context, a Access) (*Account, error) {
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(client), config.WithLogger(logging.Nop{})}
	if a.ConfigFile != "" {
		options = append(options, config.WithSharedConfigFiles([]string{a.ConfigFile}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, materialize.Fail(materialize.ClassConfig, "read the AWS configuration", "check ~/.aws/config, AWS_PROFILE and --aws-config-file", err)
	}
	cfg.Credentials = marked{cfg.Credentials}
	return NewAccount(cfg), nil
}

// NewAccount is Open for those who have a configuration.
func NewAccount(cfg sdk.Config) *Account { return &Account{cfg} }

// Uploader gives an uploader to the account, as [New].
func (a *Account) Uploader(c Config) (*Uploader, error) { return New(a.sdk, c) }

// client gives the HTTP client. The SDK adds AWS_CA_BUNDLE to one of this type only.
func (a Access) client() (*awshttp.BuildableClient, error) {
	client := awshttp.NewBuildableClient()
	if a.CAFile == "" {
		return client, nil
	}
	text, err := os.ReadFile(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificates: %w", err)
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM: %w", a.CAFile, os.ErrInvalid)
	}
	return client.WithTransportOptions(func(tr *http.Transport) {
		tr.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}), nil
}

// marked marks the error of finding no credentials.
type marked struct{ sdk.CredentialsProvider }

// Retrieve implements sdk.CredentialsProvider.
func (m marked) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	found, err := m.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = fmt.Errorf("%w: %w", errNoCredentials, err)
	}
	return found, err
}
