// Does what its setting `act` says: one of the mistakes that an author of plugins in Go makes.
package main

import (
	"weir"
	"weir/otlptootlp"
)

type mistakes struct{ act string }

func configure(settings *weir.Settings) (otlptootlp.Plugin, error) {
	act, err := settings.Text("act", "")
	return &mistakes{act}, err
}

//go:noinline
func readBeyond(value []byte, at int) byte { return value[at] }

//go:noinline
func readNothing(message *weir.Message) int64 { return message.Offset }

func (p *mistakes) Transform(message *weir.Message, _ *weir.Context) ([]byte, error) {
	switch p.act {
	case "beyond":
		readBeyond(message.Value, len(message.Value))
	case "nil":
		readNothing(nil)
	}
	return message.Value, nil
}

func init() { otlptootlp.Export(configure) }

func main() {}
