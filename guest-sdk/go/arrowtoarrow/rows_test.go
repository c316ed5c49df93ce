package arrowtoarrow

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func numbers(of ...uint32) (out []byte) {
	for _, number := range of {
		out = binary.LittleEndian.AppendUint32(out, number)
	}
	return out
}

// A table with a nested column before a dictionary: buffers are found behind both.
func given() []GivenTable {
	return []GivenTable{{Name: "spans", Fields: []Field{
		{Name: "events", Type: List, Children: 1}, {Name: "element", Type: Struct, Children: 1}, {Name: "at", Type: Int64},
		{Name: "kind", Type: Dictionary, Children: 1}, {Name: "value", Type: UTF8},
		{Name: "shard", Type: Int32},
		{Name: "kept", Type: UTF8},
	}}}
}

type plugin struct {
	kind  Texts
	shard Ints
	long  *TextColumn
	only  string
}

func (p *plugin) Transform(rows *Rows, choice *Choice) error {
	kind, shard := rows.Texts(p.kind), rows.Ints(p.shard)
	if p.only != "" {
		choice.Keep("spans", func(row int) bool { value, _ := kind.Get(row); return string(value) == p.only })
	}
	for row := range choice.Rows("spans") {
		value, found := kind.Get(row)
		if number, is := shard.Get(row); !found || !is || number < 0 {
			p.long.PushNull()
		} else {
			p.long.Push(append([]byte("long "), value...))
		}
	}
	return nil
}

func TestColumnsAreReadChosenAndMade(t *testing.T) {
	plan := NewPlan(given())
	spans, err := plan.Table("spans")
	if err != nil {
		t.Fatal(err)
	}
	p := &plugin{long: spans.AddTexts("kept", "takes the place of a column")}
	if p.shard, err = plan.Ints("spans", "shard"); err != nil {
		t.Fatal(err)
	}
	if p.kind, err = plan.Texts("spans", "kind"); err != nil {
		t.Fatal(err)
	}
	// Rows: SERVER, nothing, CLIENT, SERVER.
	batches := []batch{{rows: 4, buffers: [][]byte{
		{0b1101}, numbers(1, 0, 0, 1), nil, numbers(0, 6, 12), []byte("CLIENTSERVER"),
		nil, numbers(7, 7, 1<<32-1, 7),
	}}}
	if _, err := plan.transform(p, batches); err != nil {
		t.Fatal(err)
	}
	made := p.long
	if !bytes.Equal(made.bytes, []byte("long SERVERlong SERVER")) || !bytes.Equal(made.offsets, numbers(0, 11, 11, 11, 22)) {
		t.Errorf("%s %v", made.bytes, made.offsets)
	}
	if !bytes.Equal(made.validity(), []byte{0b1001}) || made.nulls() != 2 {
		t.Errorf("%b %d", made.validity(), made.nulls())
	}
	p.only = "CLIENT"
	if _, err := plan.transform(p, batches); err != nil || made.rows != 1 || made.absent != 1 {
		t.Errorf("%v %d %d", err, made.rows, made.absent)
	}
	if names := len(spans.kept); names != 3 {
		t.Errorf("%d columns are kept", names)
	}
}

func TestWhatIsNotThereIsNamedBesideWhatIs(t *testing.T) {
	plan := NewPlan(given())
	_, table := plan.Table("span")
	_, column := plan.Floats("spans", "duration")
	_, kind := plan.Floats("spans", "shard")
	for err, wanted := range map[error]string{
		table:  "`span` (there are: spans)",
		column: "`duration` (there are: events, kind, shard, kept)",
		kind:   "`shard` of table `spans` is something else",
	} {
		if err == nil || !strings.HasSuffix(err.Error(), wanted) {
			t.Errorf("%v, not %s", err, wanted)
		}
	}
}
