// Package otlp reads and edits OTLP protobuf where it lies: what does not change is copied as it is, unknown fields
// too, and a message in which nothing changes is not copied at all.
package otlp

import (
	"encoding/binary"
	"errors"
)

// What is wrong with a message.
var (
	ErrTruncated   = errors.New("not OTLP protobuf: the message ends within a field")
	ErrVarint      = errors.New("not OTLP protobuf: a varint is longer than 64 bits")
	ErrFieldNumber = errors.New("not OTLP protobuf: a field's number is 0 or too large")
	ErrWireType    = errors.New("not OTLP protobuf: a field has an unknown wire type")
	ErrMismatch    = errors.New("not OTLP protobuf: a field has another wire type than its definition")
	ErrGroup       = errors.New("not OTLP protobuf: a group ends that did not begin, or lies too deep")
	ErrTooDeep     = errors.New("not OTLP protobuf: values are nested more than 64 deep")
)

// Groups may lie in each other; deeper than this they are refused.
const groupDepthMax = 16

// Wire types of protobuf.
const (
	varintType  = 0
	fixed64Type = 1
	bytesType   = 2
	groupType   = 3
	groupEnd    = 4
	fixed32Type = 5
)

// Field is one field of a message.
type Field struct {
	Number   uint32
	wireType uint8
	bytes    []byte
	number   uint64
}

// Bytes is the value of a field of strings, bytes or messages.
func (f *Field) Bytes() ([]byte, error) {
	if f.wireType != bytesType {
		return nil, ErrMismatch
	}
	return f.bytes, nil
}

// Varint is the value of a field of integers, booleans or enums.
func (f *Field) Varint() (uint64, error) {
	if f.wireType != varintType {
		return 0, ErrMismatch
	}
	return f.number, nil
}

// Fixed64 is the value of a field of 64 bits: times, doubles.
func (f *Field) Fixed64() (uint64, error) {
	if f.wireType != fixed64Type {
		return 0, ErrMismatch
	}
	return f.number, nil
}

// Fields are the fields of a message, in their order on the wire:
//
//	for fields.Next() { ... fields.Field ... }
//	return fields.Err
type Fields struct {
	message []byte
	from    int // where Field begins
	at      int // what has been read
	Field   Field
	Err     error
}

// Read gives the fields of a message.
func Read(message []byte) Fields { return Fields{message: message} }

// Next goes to the next field; false at the end, or where what follows is no field.
func (f *Fields) Next() bool {
	if f.Err != nil || f.at == len(f.message) {
		return false
	}
	f.from = f.at
	tag := f.tag()
	f.Field.Number, f.Field.wireType = uint32(tag>>3), uint8(tag&7)
	switch f.Field.wireType {
	case varintType:
		f.Field.number = f.varint()
	case fixed64Type:
		if b := f.take(8); b != nil {
			f.Field.number = binary.LittleEndian.Uint64(b)
		}
	case fixed32Type:
		if b := f.take(4); b != nil {
			f.Field.number = uint64(binary.LittleEndian.Uint32(b))
		}
	case bytesType:
		f.Field.bytes = f.take(f.varint())
	default:
		f.group(f.Field.Number, f.Field.wireType)
	}
	return f.Err == nil
}

func (f *Fields) tag() uint64 {
	tag := f.varint()
	if f.Err == nil && (tag < 8 || tag > 1<<32-1) {
		f.Err = ErrFieldNumber
	}
	return tag
}

func (f *Fields) varint() uint64 {
	// Most have one byte.
	if f.at < len(f.message) && f.message[f.at] < 0x80 {
		f.at++
		return uint64(f.message[f.at-1])
	}
	return f.longVarint()
}

func (f *Fields) longVarint() uint64 {
	value, length := binary.Uvarint(f.message[f.at:])
	switch {
	case length > 0:
		f.at += length
	case length == 0 && f.Err == nil:
		f.Err = ErrTruncated
	case f.Err == nil:
		f.Err = ErrVarint
	}
	return value
}

func (f *Fields) take(length uint64) []byte {
	if f.Err != nil {
		return nil
	}
	if length > uint64(len(f.message)-f.at) {
		f.Err = ErrTruncated
		return nil
	}
	to := f.at + int(length)
	taken := f.message[f.at:to:to]
	f.at = to
	return taken
}

// group skips a group to its end, and the groups within.
func (f *Fields) group(number uint32, wireType uint8) {
	if f.Err != nil {
		return
	}
	if wireType != groupType {
		f.Err = ErrWireType
		if wireType == groupEnd {
			f.Err = ErrGroup
		}
		return
	}
	open := []uint32{number}
	for len(open) > 0 && f.Err == nil {
		tag := f.tag()
		if f.Err != nil {
			return
		}
		number := uint32(tag >> 3)
		switch tag & 7 {
		case varintType:
			f.varint()
		case fixed64Type:
			f.take(8)
		case fixed32Type:
			f.take(4)
		case bytesType:
			f.take(f.varint())
		case groupType:
			if open = append(open, number); len(open) > groupDepthMax {
				f.Err = ErrGroup
			}
		case groupEnd:
			if open[len(open)-1] != number {
				f.Err = ErrGroup
			}
			open = open[:len(open)-1]
		default:
			f.Err = ErrWireType
		}
	}
}

// appendField appends a field of bytes.
func appendField(out []byte, number uint32, bytes []byte) []byte {
	out = binary.AppendUvarint(out, uint64(number)<<3|bytesType)
	out = binary.AppendUvarint(out, uint64(len(bytes)))
	return append(out, bytes...)
}

// edit gives a message of which fields are replaced or dropped; the message itself where each stays. Of what decide
// gives, keep says whether the field stays; where it does not, with takes its place, unless that is nil.
func edit(message []byte, decide func(field *Field) (keep bool, with []byte, err error)) ([]byte, error) {
	var out []byte
	done := 0 // How much of the message is in out, or has been left out.
	fields := Read(message)
	for fields.Next() {
		keep, with, err := decide(&fields.Field)
		if err != nil {
			return nil, err
		}
		if keep {
			continue
		}
		if out == nil {
			out = make([]byte, 0, len(message)+len(with))
		}
		out = append(out, message[done:fields.from]...)
		if with != nil {
			out = appendField(out, fields.Field.Number, with)
		}
		done = fields.at
	}
	if fields.Err != nil {
		return nil, fields.Err
	}
	if out == nil {
		return message, nil
	}
	return append(out, message[done:]...), nil
}

// isSame says whether edit has changed nothing: what it gives then is the message itself.
func isSame(edited, message []byte) bool {
	return len(edited) == len(message) && (len(edited) == 0 || &edited[0] == &message[0])
}
