//go:build wasm

package weir

import "unsafe"

//go:wasmimport weir:plugin/log@0.1.0 write
func hostWrite(level uint32, text unsafe.Pointer, length uint32)

//go:wasmimport weir:plugin/counters@0.1.0 add
func hostAdd(name unsafe.Pointer, length uint32, amount uint64)

func write(level Level, line string) {
	hostWrite(uint32(level), unsafe.Pointer(unsafe.StringData(line)), uint32(len(line)))
}

func add(counter string, amount uint64) {
	hostAdd(unsafe.Pointer(unsafe.StringData(counter)), uint32(len(counter)), amount)
}
