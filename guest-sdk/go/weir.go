// Package weir has what plugins of all kinds share: Kafka records, settings, the log and counters.
//
// A plugin imports otlptootlp or arrowtoarrow beside it and calls Export there in an init function; `weir plugin build`
// makes a component of it. It runs in a sandbox: no file, no network, no environment. The clock begins at a fixed time
// and moves when it is read; random numbers are the same in each instance.
package weir

// Signal says what a topic carries.
type Signal uint8

const (
	// Traces: values are TracesData, the same wire form as ExportTraceServiceRequest.
	Traces Signal = iota
	// Metrics: values are MetricsData.
	Metrics
	// Logs: values are LogsData.
	Logs
)

// Header is a header of a Kafka record. Value is nil where Kafka holds null.
type Header struct {
	Key   string
	Value []byte
}

// Message is a Kafka record, or the part of one that was too large to be sent whole. What it points to is there until
// the call ends, and must not be written to.
type Message struct {
	// Value is OTLP protobuf, whatever the topic's encoding was. May be empty. Its strings may hold invalid UTF-8: pass
	// the bytes on, the host repairs and counts.
	Value []byte
	// Key is nil where there is none.
	Key     []byte
	Headers []Header
	// TimestampMs is in milliseconds since 1970, and 0 where HasTimestamp is false.
	TimestampMs  int64
	HasTimestamp bool
	Offset       int64
}

// Context is what a plugin knows of the batch that a record is in.
type Context struct {
	Signal    Signal
	Topic     string
	Partition int32
	// Staged holds what was counted for the record at hand.
	Staged map[string]uint64
}

// Count adds to a counter, which appears as weir_plugin_counter_total{plugin, counter}. What was counted for a record
// that is refused afterwards is taken back.
func (c *Context) Count(counter string, amount uint64) {
	if amount > 0 {
		c.Staged[counter] += amount
	}
}

// Level says how loud a line is.
type Level uint32

const (
	// Error: something is lost or wrong.
	Error Level = iota
	// Warn: something looks wrong.
	Warn
	// Info: a person may care.
	Info
	// Debug is for whoever writes the plugin.
	Debug
)

// Log writes one line. The host cuts lines beyond 4 KiB and drops those beyond 100 a call.
func Log(level Level, line string) { write(level, line) }

// Count adds to a counter at once; in a record's own call prefer Context.Count.
func Count(counter string, amount uint64) { add(counter, amount) }
