//go:build !race

package catalog_test

const underRace = false
