package main

import (
	"github.com/urfave/cli/v2"

	"cosafs/cmd/internal/auth"
)

func (p *program) tokenCommand() *cli.Command {
	return &cli.Command{
		Name:      "token",
		Usage:     "make a token for cosafs serve --tokens",
		ArgsUsage: "NAME",
		Description: "Prints the line for the file of tokens, which keeps only the token's hash, and on standard\n" +
			"error the token itself, once: cosafs token ci >> tokens. It is sent as a bearer token, or\n" +
			"as NAME's password.",
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			secret, line, err := auth.NewToken(c.Args().First())
			if err != nil {
				return err
			}
			return p.data(madeToken{c.Args().First(), secret, line}, func() {
				p.say("%s", line)
				printTo(p.stderr, "The token of %s, shown only now: %s\n", c.Args().First(), secret)
			})
		},
	}
}

// A madeToken is what token prints as JSON.
type madeToken struct {
	Name  string `json:"name"`
	Token string `json:"token"`
	Line  string `json:"line"` // for the file of tokens
}
