// Command toxiproxy damages TCP connections as the tests ask it to, over its
// HTTP API: Shopify's proxy, without a configuration. It is a module of its own,
// so that its dependencies are not the product's.
package main

import (
	"flag"
	"log"
	"net"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

func main() {
	api := flag.String("api", "", "take orders at `HOST:PORT`")
	flag.Parse()
	host, port, err := net.SplitHostPort(*api)
	if err != nil {
		log.Fatal(err)
	}
	metrics := toxiproxy.NewMetricsContainer(prometheus.NewRegistry())
	toxiproxy.NewServer(metrics, zerolog.Nop()).Listen(host, port)
}
