//go:build !wasm

package weir

// Lines and Counts keep what was logged and counted, for tests to look at. Natively only.
var (
	Lines  []string
	Counts = map[string]uint64{}
)

func write(_ Level, line string) { Lines = append(Lines, line) }

func add(counter string, amount uint64) { Counts[counter] += amount }
