// Removes or hashes attributes by name, before there are rows, on all levels: ../redact-attributes in Go.
//
// `drop = ["user.email"]` removes them. `hash = ["user.id"]` puts the sha256 of their text, in hex, in its place.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"weir"
	"weir/otlp"
	"weir/otlptootlp"
)

type redactAttributes struct{ drop, hash []string }

func configure(settings *weir.Settings) (otlptootlp.Plugin, error) {
	plugin := &redactAttributes{drop: settings.List("drop"), hash: settings.List("hash")}
	if len(plugin.drop) == 0 && len(plugin.hash) == 0 {
		return nil, errors.New("setting `drop` or `hash` says which attributes to redact; there is neither")
	}
	for _, name := range plugin.drop {
		if slices.Contains(plugin.hash, name) {
			return nil, fmt.Errorf("`%s` is both in `drop` and in `hash`", name)
		}
	}
	return plugin, nil
}

func (p *redactAttributes) Transform(message *weir.Message, context *weir.Context) ([]byte, error) {
	return otlp.EditAttributes(context.Signal, message.Value, func(_ otlp.Level, attribute otlp.Attribute) (otlp.Change, error) {
		if contains(p.drop, attribute.Key) {
			context.Count("attributes_dropped", 1)
			return otlp.Drop, nil
		}
		if !contains(p.hash, attribute.Key) {
			return otlp.Keep, nil
		}
		context.Count("attributes_hashed", 1)
		value, err := attribute.Value()
		if err != nil {
			return otlp.Keep, err
		}
		text, err := value.AppendText(nil)
		if err != nil {
			return otlp.Keep, err
		}
		sum := sha256.Sum256(text)
		return otlp.Text(hex.AppendEncode(nil, sum[:])), nil
	})
}

func contains(names []string, key []byte) bool {
	for _, name := range names {
		if name == string(key) {
			return true
		}
	}
	return false
}

func init() { otlptootlp.Export(configure) }

func main() {}
