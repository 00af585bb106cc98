package certs

// OpenAt is Open with a clock.
var OpenAt = open
