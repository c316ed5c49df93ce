//go:build wasm

package otlptootlp

import (
	"weir"
	"weir/abi"
)

var (
	configure func(*weir.Settings) (Plugin, error)
	rewriter  *Rewriter
	messages  []weir.Message
	outcomes  []outcome
)

// Export makes a plugin of a function that reads its settings. An error is a mistake in these: the pipeline does not
// start, and the text is shown to whoever wrote them.
func Export(by func(*weir.Settings) (Plugin, error)) { configure = by }

// The contract's records, as the ABI lays them out.
type (
	header struct {
		key      abi.Span
		hasValue uint32
		value    abi.Span
	}
	message struct {
		value        abi.Span
		hasKey       uint32
		key          abi.Span
		headers      abi.Span
		_            uint32
		hasTimestamp uint32
		_            uint32
		timestampMs  int64
		offset       int64
	}
	outcome struct {
		tag  uint32
		body abi.Span
	}
)

//go:wasmexport weir:plugin/otlp-to-otlp@0.1.0#configure
func exportConfigure(settings, length uint32) uint32 {
	defer abi.Explain()
	given := abi.Settings(settings, length)
	abi.Release()
	made, err := NewRewriter(configure, given)
	rewriter = made
	return abi.Answer(err, struct{}{})
}

//go:wasmexport weir:plugin/otlp-to-otlp@0.1.0#transform
func exportTransform(signal, topic, topicLength uint32, partition int32, list, length uint32) uint32 {
	defer abi.Explain()
	messages = messages[:0]
	for _, m := range abi.List[message](list, length) {
		read := weir.Message{
			Value:        abi.Bytes(m.value.At, m.value.Length),
			HasTimestamp: m.hasTimestamp&1 == 1,
			Offset:       m.offset,
		}
		if m.hasKey&1 == 1 {
			read.Key = abi.Bytes(m.key.At, m.key.Length)
		}
		if read.HasTimestamp {
			read.TimestampMs = m.timestampMs
		}
		for _, h := range abi.List[header](m.headers.At, m.headers.Length) {
			header := weir.Header{Key: abi.Text(h.key.At, h.key.Length)}
			if h.hasValue&1 == 1 {
				header.Value = abi.Bytes(h.value.At, h.value.Length)
			}
			read.Headers = append(read.Headers, header)
		}
		messages = append(messages, read)
	}
	done, err := rewriter.Transform(weir.Signal(signal), abi.Text(topic, topicLength), partition, messages)
	outcomes = outcomes[:0]
	for _, o := range done {
		switch {
		case o.Refused != nil:
			outcomes = append(outcomes, outcome{2, abi.KeepText(o.Refused.Error())})
		case o.Changed:
			outcomes = append(outcomes, outcome{1, abi.Keep(o.Value)})
		default:
			outcomes = append(outcomes, outcome{})
		}
	}
	return abi.Answer(err, abi.Keep(outcomes))
}

//go:wasmexport cabi_post_weir:plugin/otlp-to-otlp@0.1.0#configure
func forgetConfigure(uint32) { abi.Forget() }

//go:wasmexport cabi_post_weir:plugin/otlp-to-otlp@0.1.0#transform
func forgetTransform(uint32) { abi.Forget() }
