//go:build wasm

// Package abi is the canonical ABI's part that both kinds of plugins share: the memory that the host lowers arguments
// into, and results that stay where they are until the host has read them (component model, CanonicalABI.md).
package abi

import (
	"path"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"weir"
)

// The host's arguments lie in chunks that are used again by the next call, so that what comes in is no garbage.
const chunk = 4 << 20

var (
	chunks  [][]byte
	current int // the chunk in use
	used    int // how much of it

	// kept holds what a result points to.
	kept []any
)

//go:wasmexport cabi_realloc
func realloc(_, _, align, size uint32) uint32 {
	for ; current < len(chunks); current, used = current+1, 0 {
		at := address(unsafe.SliceData(chunks[current]))
		from := (int(at)+used+int(align)-1)&^(int(align)-1) - int(at)
		if from+int(size) <= len(chunks[current]) {
			used = from + int(size)
			return at + uint32(from)
		}
	}
	// Go aligns what is as large as this by more than any align that there is.
	chunks = append(chunks, make([]byte, max(chunk, int(size))))
	used = int(size)
	return address(unsafe.SliceData(chunks[current]))
}

// Release says that the arguments of the call are not used any more.
func Release() { current, used = 0, 0 }

// Forget lets go of a result that the host has read.
func Forget() {
	clear(kept)
	kept = kept[:0]
	Release()
}

// Bytes is a list of bytes that the host lowered, in place: there until Release.
func Bytes(at, length uint32) []byte {
	if length == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(at))), length)
}

// Text is a copy of a string that the host lowered.
func Text(at, length uint32) string { return string(Bytes(at, length)) }

// List is a list of records that the host lowered, in place: T is laid out as the ABI has it.
func List[T any](at, length uint32) []T {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(uintptr(at))), length)
}

// Span is a list or string as the ABI has it.
type Span struct{ At, Length uint32 }

// Keep is a list for the host to read, which stays until Forget.
func Keep[T any](list []T) Span {
	if len(list) == 0 {
		return Span{At: 8}
	}
	kept = append(kept, list)
	return Span{address(unsafe.SliceData(list)), uint32(len(list))}
}

// KeepText is a string for the host to read.
func KeepText(text string) Span {
	if text == "" {
		return Span{At: 8}
	}
	kept = append(kept, text)
	return Span{address(unsafe.StringData(text)), uint32(len(text))}
}

// Answer is what an exported function gives back: the place of a result<T, string>, where body is T.
func Answer[T any](err error, body T) uint32 {
	if err != nil {
		failed := &struct {
			tag uint32
			why Span
		}{1, KeepText(err.Error())}
		kept = append(kept, failed)
		return address(failed)
	}
	done := &struct {
		tag  uint32
		body T
	}{0, body}
	kept = append(kept, done)
	return address(done)
}

// Setting is a setting as the ABI has it.
type Setting struct{ key, values Span }

// Settings are the settings that the host lowered.
func Settings(at, length uint32) *weir.Settings {
	var given []weir.Setting
	for _, setting := range List[Setting](at, length) {
		values := []string{}
		for _, value := range List[Span](setting.values.At, setting.values.Length) {
			values = append(values, Text(value.At, value.Length))
		}
		given = append(given, weir.Setting{Key: Text(setting.key.At, setting.key.Length), Values: values})
	}
	return &weir.Settings{Given: given}
}

func address[T any](at *T) uint32 { return uint32(uintptr(unsafe.Pointer(at))) }

// The runtime writes a panic's message and stack in pieces; the stubs put them together to lines in here.
var line [1024]byte

//go:wasmimport wasi_snapshot_preview1 lend_line
func lendLine(at unsafe.Pointer, length uint32)

func init() { lendLine(unsafe.Pointer(&line), uint32(len(line))) }

// The functions of a panic that are told.
const frames = 8

// Explain is deferred by what the host calls: it says what a panic is about, and where, as an error, which becomes part
// of the trap's text. The runtime's own words are warnings in the log.
func Explain() {
	why := recover()
	if why == nil {
		return
	}
	weir.Log(weir.Error, words(why)+place())
	panic(why)
}

func words(why any) string {
	switch why := why.(type) {
	case error:
		return why.Error()
	case string:
		return why
	case interface{ String() string }:
		return why.String()
	}
	return "a panic with a value that is no text"
}

// place is where a panic began and how it came there, innermost first, without the runtime's part and Weir's.
func place() string {
	var counters [64]uintptr
	stack := runtime.CallersFrames(counters[:runtime.Callers(1, counters[:])])
	text, told := "", 0
	for isInside := false; told < frames; {
		frame, more := stack.Next()
		isRuntime := strings.HasPrefix(frame.Function, "runtime.")
		isInside = isInside || isRuntime
		if isInside && !isRuntime {
			if strings.HasPrefix(frame.Function, "weir/") && strings.HasSuffix(frame.File, "guest.go") {
				break
			}
			text += [2]string{"; at ", " < "}[min(told, 1)]
			text += frame.Function + " (" + path.Base(frame.File) + ":" + strconv.Itoa(frame.Line) + ")"
			told++
		}
		if !more {
			break
		}
	}
	return text
}
