package otlp

import (
	"bytes"
	"math"
	"testing"

	"weir"
)

func field(number uint32, parts ...[]byte) []byte {
	return appendField(nil, number, bytes.Join(parts, nil))
}

func attribute(key, text string) []byte {
	return bytes.Join([][]byte{field(1, []byte(key)), field(2, field(1, []byte(text)))}, nil)
}

func TestDoublesAreTheShortestThatReadBack(t *testing.T) {
	for value, wanted := range map[float64]string{
		0: "0.0", math.Copysign(0, -1): "-0.0", 1: "1.0", -2.5: "-2.5", 0.1: "0.1", 1e15: "1000000000000000.0", 1e16: "1e16",
		1.5e300: "1.5e300", 0.0001: "0.0001", 0.00001: "1e-5", 5e-324: "5e-324", 1e-10: "1e-10", math.Inf(-1): "-Infinity",
	} {
		if got := string(appendDouble(nil, value)); got != wanted {
			t.Errorf("%v is %s, not %s", value, got, wanted)
		}
	}
}

func TestAnUneditedValueIsGivenBackItself(t *testing.T) {
	// A resource with one attribute, and a field that nobody knows.
	value := bytes.Join([][]byte{field(1, field(1, field(1, attribute("a", "x")))), field(15, []byte("?"))}, nil)
	keep := func(Level, Attribute) (Change, error) { return Keep, nil }
	edited, err := EditAttributes(weir.Traces, value, keep)
	if err != nil || !isSame(edited, value) {
		t.Fatalf("%x, %v", edited, err)
	}
	kept, err := KeepItems(value, func(Item) (bool, error) { return false, nil })
	if err != nil || !isSame(kept, value) {
		t.Fatalf("%x, %v", kept, err)
	}
}

func TestWhatNobodyKnowsStays(t *testing.T) {
	unknown := field(15, []byte("?"))
	value := bytes.Join([][]byte{field(1, field(1, field(1, attribute("a", "x")), unknown)), unknown}, nil)
	wanted := bytes.Join([][]byte{field(1, field(1, field(1, attribute("a", "y")), unknown)), unknown}, nil)
	edited, err := EditAttributes(weir.Traces, value, func(level Level, a Attribute) (Change, error) {
		if level != Resource || string(a.Key) != "a" {
			t.Errorf("%d %s", level, a.Key)
		}
		return Text([]byte("y")), nil
	})
	if err != nil || !bytes.Equal(edited, wanted) {
		t.Fatalf("%x, not %x, %v", edited, wanted, err)
	}
}

func TestAValueInPiecesIsPutTogether(t *testing.T) {
	array := func(text string) []byte { return field(5, field(1, field(1, []byte(text)))) }
	read, err := ReadAttribute(bytes.Join([][]byte{field(1, []byte("a")), field(2, array("x")), field(2, array("y"))}, nil))
	if err != nil {
		t.Fatal(err)
	}
	value, err := read.Value()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := value.AppendText(nil); err != nil || string(text) != `["x","y"]` {
		t.Fatalf("%s, %v", text, err)
	}
}

func TestAScopeOfWhichNothingStaysGoes(t *testing.T) {
	item := func(text string) []byte { return field(2, field(5, []byte(text))) }
	scope := func(items ...[]byte) []byte {
		return field(2, field(1, field(1, []byte("lib"))), bytes.Join(items, nil))
	}
	value := field(1, scope(item("a"), item("b")), scope(item("a")))
	keep := func(text string) []byte {
		kept, err := KeepItems(value, func(item Item) (bool, error) {
			name, err := item.Bytes(5)
			return string(name) == text, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	if got, wanted := keep("b"), field(1, scope(item("b"))); !bytes.Equal(got, wanted) {
		t.Errorf("%x, not %x", got, wanted)
	}
	if got := keep("c"); len(got) != 0 {
		t.Errorf("%x is left", got)
	}
}

func TestWhatIsMalformedIsSaidAndNothingPanics(t *testing.T) {
	value := field(1, field(1, field(1, attribute("a", "x"))), field(2, field(2, field(9, attribute("b", "y")))))
	decide := func(Level, Attribute) (Change, error) { return Drop, nil }
	for length := 1; length < len(value); length++ {
		if _, err := EditAttributes(weir.Traces, value[:length], decide); err != ErrTruncated {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
	for index := range value {
		broken := bytes.Clone(value)
		for _, with := range []byte{0, 0x0b, 0x0c, 0x7f, 0xff} {
			broken[index] = with
			EditAttributes(weir.Traces, broken, decide)
			EditAttributes(weir.Metrics, broken, decide)
			KeepItems(broken, func(item Item) (bool, error) { _, err := item.Fixed64(7); return true, err })
		}
	}
}

func TestValuesThatLieTooDeepAreRefused(t *testing.T) {
	nested := field(1, []byte("x"))
	for range 70 {
		nested = field(5, field(1, nested))
	}
	value, err := ReadValue(nested)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := value.AppendText(nil); err != ErrTooDeep {
		t.Fatal(err)
	}
}
