// Package otlptootlp exports plugins that turn OTLP into OTLP: they filter, redact, sample and enrich.
//
//	func init() { otlptootlp.Export(configure) }
//	func main() {}
package otlptootlp

import (
	"errors"
	"maps"
	"slices"
	"unsafe"

	"weir"
)

// Plugin says what becomes of records.
type Plugin interface {
	// Transform gives the value that goes on in a record's place: message.Value itself where nothing changed, which is
	// then not copied; nothing where nothing is left. An error refuses the record: it becomes a dead letter with this text.
	Transform(message *weir.Message, context *weir.Context) ([]byte, error)
}

// Outcome is what becomes of a record.
type Outcome struct {
	// Value goes on, if Changed.
	Value   []byte
	Changed bool
	// Refused is why the record is refused; nil where it is not.
	Refused error
}

// Rewriter is a configured plugin. The same code runs in a component and in tests.
type Rewriter struct{ plugin Plugin }

// NewRewriter configures a plugin, and refuses settings that it did not ask for.
func NewRewriter(configure func(*weir.Settings) (Plugin, error), settings *weir.Settings) (*Rewriter, error) {
	plugin, err := configure(settings)
	if err != nil {
		return nil, err
	}
	return &Rewriter{plugin}, settings.RefuseTheRest()
}

// Transform says what becomes of each record of a batch. Counters go out at the end.
func (r *Rewriter) Transform(signal weir.Signal, topic string, partition int32, messages []weir.Message) ([]Outcome, error) {
	if r == nil {
		return nil, errors.New("transform was called before configure")
	}
	counts := map[string]uint64{}
	context := weir.Context{Signal: signal, Topic: topic, Partition: partition, Staged: map[string]uint64{}}
	outcomes := make([]Outcome, len(messages))
	for at := range messages {
		message := &messages[at]
		value, err := r.plugin.Transform(message, &context)
		outcomes[at] = Outcome{Value: value, Changed: err == nil && !same(value, message.Value), Refused: err}
		if err == nil {
			for counter, amount := range context.Staged {
				counts[counter] += amount
			}
		}
		clear(context.Staged)
	}
	for _, counter := range slices.Sorted(maps.Keys(counts)) {
		weir.Count(counter, counts[counter])
	}
	return outcomes, nil
}

// same says whether two slices are the same bytes in the same place.
func same(one, other []byte) bool {
	return len(one) == len(other) && (len(one) == 0 || unsafe.SliceData(one) == unsafe.SliceData(other))
}
