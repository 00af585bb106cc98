package main

import (
	"github.com/urfave/cli/v2"

	"cosafs/materialize/guest"
)

func (p *program) guestCommand() *cli.Command {
	return &cli.Command{
		Name:   "guest",
		Usage:  "be the init of the helper virtual machine",
		Hidden: true,
		Action: func(c *cli.Context) error {
			return hintf(guest.Main(c.Context), "it is started by the appliance's kernel; cosafs build uses it")
		},
	}
}
