package otlp

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
)

// Values lie in each other at most so deep.
const depthMax = 64

// Kind says what a value is.
type Kind uint8

const (
	// Empty: nothing, which is valid, and not the same as a missing attribute.
	Empty Kind = iota
	// String: Value.Bytes is text, perhaps not UTF-8.
	String
	// Bool: Value.Int is 0 or 1.
	Bool
	// Int is a signed integer.
	Int
	// Double may be not finite.
	Double
	// Bytes are bytes.
	Bytes
	// Array: Value.Bytes is an ArrayValue.
	Array
	// KeyValues: Value.Bytes is a KeyValueList.
	KeyValues
)

// Value is an AnyValue.
type Value struct {
	Kind   Kind
	Bytes  []byte
	Int    int64
	Double float64
}

// Attribute is a key and its value, as they lie on the wire.
type Attribute struct {
	Key []byte
	// The AnyValue; of several pieces, which protobuf has merged, all of them one after the other.
	value []byte
}

// ReadAttribute reads a KeyValue.
func ReadAttribute(message []byte) (Attribute, error) {
	// What nearly every attribute is: a short key, then a short value, and nothing else.
	if len(message) > 3 && message[0] == 1<<3|bytesType && message[1] < 0x80 {
		value := 2 + int(message[1])
		if len(message) > value+1 && message[value] == 2<<3|bytesType && message[value+1] < 0x80 &&
			len(message) == value+2+int(message[value+1]) {
			return Attribute{message[2:value:value], message[value+2:]}, nil
		}
	}
	var attribute Attribute
	fields := Read(message)
	for fields.Next() {
		var err error
		switch fields.Field.Number {
		case 1:
			attribute.Key, err = fields.Field.Bytes()
		case 2:
			var piece []byte
			piece, err = fields.Field.Bytes()
			attribute.value = join(attribute.value, piece)
		}
		if err != nil {
			return attribute, err
		}
	}
	return attribute, fields.Err
}

// join is both, one after the other; without a copy where the first is not there.
func join(one, other []byte) []byte {
	if len(one) == 0 {
		return other
	}
	return slices.Concat(one, other)
}

// Value reads the attribute's value.
func (a Attribute) Value() (Value, error) { return ReadValue(a.value) }

// ReadValue reads an AnyValue. The last of several members wins; containers of one kind are merged.
func ReadValue(message []byte) (Value, error) {
	var value Value
	fields := Read(message)
	for fields.Next() {
		field := &fields.Field
		var err error
		switch field.Number {
		case 1:
			value = Value{Kind: String}
			value.Bytes, err = field.Bytes()
		case 2, 3:
			var number uint64
			number, err = field.Varint()
			value = Value{Kind: Int, Int: int64(number)}
			if field.Number == 2 {
				value.Kind = Bool
				value.Int = int64(min(number, 1))
			}
		case 4:
			var bits uint64
			bits, err = field.Fixed64()
			value = Value{Kind: Double, Double: math.Float64frombits(bits)}
		case 5, 6:
			var body []byte
			body, err = field.Bytes()
			kind := Array + Kind(field.Number-5)
			if value.Kind == kind {
				body = join(value.Bytes, body)
			}
			value = Value{Kind: kind, Bytes: body}
		case 7:
			value = Value{Kind: Bytes}
			value.Bytes, err = field.Bytes()
		case 8:
			// A number in a profile's dictionary, which there is not: as good as empty.
			_, err = field.Varint()
			value = Value{}
		}
		if err != nil {
			return value, err
		}
	}
	return value, fields.Err
}

// AppendText appends the value as text: a string as it is, numbers as JSON has them, NaN and the infinities bare, bytes
// as base64, nothing for an empty value; arrays and key-value lists are JSON (OpenTelemetry specification, common,
// "AnyValue representation for non-OTLP protocols").
func (v Value) AppendText(out []byte) ([]byte, error) {
	switch v.Kind {
	case Empty:
		return out, nil
	case String:
		return append(out, v.Bytes...), nil
	case Double:
		return appendDouble(out, v.Double), nil
	case Bytes:
		return base64.StdEncoding.AppendEncode(out, v.Bytes), nil
	default:
		return v.appendJSON(out, 1)
	}
}

func (v Value) appendJSON(out []byte, depth int) ([]byte, error) {
	switch v.Kind {
	case Empty:
		return append(out, "null"...), nil
	case String:
		return appendString(out, v.Bytes), nil
	case Bool:
		return strconv.AppendBool(out, v.Int == 1), nil
	case Int:
		return strconv.AppendInt(out, v.Int, 10), nil
	case Double:
		if math.IsNaN(v.Double) || math.IsInf(v.Double, 0) {
			return append(appendDouble(append(out, '"'), v.Double), '"'), nil
		}
		return appendDouble(out, v.Double), nil
	case Bytes:
		return append(base64.StdEncoding.AppendEncode(append(out, '"'), v.Bytes), '"'), nil
	}
	if depth >= depthMax && len(v.Bytes) > 0 {
		return nil, ErrTooDeep
	}
	if v.Kind == Array {
		return v.appendArray(out, depth+1)
	}
	return v.appendObject(out, depth+1)
}

func (v Value) appendArray(out []byte, depth int) ([]byte, error) {
	out = append(out, '[')
	first := true
	fields := Read(v.Bytes)
	for fields.Next() {
		if fields.Field.Number != 1 {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		message, err := fields.Field.Bytes()
		if err != nil {
			return nil, err
		}
		value, err := ReadValue(message)
		if err == nil {
			out, err = value.appendJSON(out, depth)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(out, ']'), fields.Err
}

// Of entries of one key the last one stands.
func (v Value) appendObject(out []byte, depth int) ([]byte, error) {
	var entries []Attribute
	last := map[string]int{}
	fields := Read(v.Bytes)
	for fields.Next() {
		if fields.Field.Number != 1 {
			continue
		}
		message, err := fields.Field.Bytes()
		if err != nil {
			return nil, err
		}
		entry, err := ReadAttribute(message)
		if err != nil {
			return nil, err
		}
		last[string(entry.Key)] = len(entries)
		entries = append(entries, entry)
	}
	out = append(out, '{')
	first := true
	for at, entry := range entries {
		if last[string(entry.Key)] != at {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(appendString(out, entry.Key), ':')
		value, err := entry.Value()
		if err == nil {
			out, err = value.appendJSON(out, depth)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(out, '}'), fields.Err
}

// appendDouble appends the shortest decimal that reads back as the same number, with a fraction or an exponent.
func appendDouble(out []byte, value float64) []byte {
	switch {
	case math.IsNaN(value):
		return append(out, "NaN"...)
	case math.IsInf(value, 1):
		return append(out, "Infinity"...)
	case math.IsInf(value, -1):
		return append(out, "-Infinity"...)
	}
	size := math.Abs(value)
	if size == 0 || size >= 1e-4 && size < 1e16 {
		from := len(out)
		out = strconv.AppendFloat(out, value, 'f', -1, 64)
		if !slices.Contains(out[from:], '.') {
			out = append(out, ".0"...)
		}
		return out
	}
	from := len(out)
	out = strconv.AppendFloat(out, value, 'e', -1, 64)
	// Go writes 1e-07 and 1e+16 for 1e-7 and 1e16.
	at := from + slices.Index(out[from:], 'e') + 1
	if out[at] == '+' {
		out = slices.Delete(out, at, at+1)
	} else {
		at++
	}
	if out[at] == '0' {
		out = slices.Delete(out, at, at+1)
	}
	return out
}

// appendString appends a JSON string (RFC 8259, section 7). Bytes that are not UTF-8 pass.
func appendString(out, text []byte) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, `\n`...)
		case c == '\r':
			out = append(out, `\r`...)
		case c == '\t':
			out = append(out, `\t`...)
		case c == '\b':
			out = append(out, `\b`...)
		case c == '\f':
			out = append(out, `\f`...)
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
