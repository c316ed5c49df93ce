package arrowtoarrow

import (
	"encoding/binary"
	"fmt"
	"math"

	"weir"
)

// Rows are the rows of a batch, as far as they are read.
type Rows struct {
	plan    *Plan
	batches []batch
}

// A table's rows: the buffers of the columns that are read, in order.
type batch struct {
	rows    int
	buffers [][]byte
}

// Len is how many rows a given table has; 0 where there is no such table.
func (r *Rows) Len(table string) int {
	at, err := r.plan.source(table)
	if err != nil {
		return 0
	}
	return r.batches[at].rows
}

// first is the place of a column's first buffer.
func (r *Rows) first(p place) int {
	given, buffer := &r.plan.Given[p.table], 0
	for _, column := range r.plan.reads[p.table] {
		if int(column) == p.column {
			break
		}
		to := len(given.Fields)
		if next := int(column) + 1; next < len(given.columns) {
			to = given.columns[next]
		}
		for _, field := range given.Fields[given.columns[column]:to] {
			buffer += field.Type.buffers()
		}
	}
	return buffer
}

// view is a column's rows and its buffers.
type view struct {
	rows             int
	validity, values []byte
	rest             [][]byte
}

func (r *Rows) view(p place) view {
	batch, first := &r.batches[p.table], r.first(p)
	if len(batch.buffers) < first+2 {
		return view{}
	}
	return view{batch.rows, batch.buffers[first], batch.buffers[first+1], batch.buffers[first+2:]}
}

// has says whether a row has a value. An empty bitmap says that all have.
func (v *view) has(row int) bool {
	return row >= 0 && row < v.rows && (len(v.validity) == 0 || bit(v.validity, row))
}

func bit(bits []byte, at int) bool { return at/8 < len(bits) && bits[at/8]>>(at%8)&1 == 1 }

// TextsView has the values of a column of text or bytes.
type TextsView struct {
	view
	keys, offsets, bytes []byte
}

// Texts looks at a column of text or bytes.
func (r *Rows) Texts(column Texts) TextsView {
	v := r.view(column.place)
	text := TextsView{view: v, offsets: v.values}
	switch {
	case column.dataType != Dictionary && len(v.rest) > 0:
		text.bytes = v.rest[0]
	case len(v.rest) > 2:
		text.keys, text.offsets, text.bytes = v.values, v.rest[1], v.rest[2]
	}
	return text
}

// Get is a row's value, there until the call ends; false where it is missing.
func (v *TextsView) Get(row int) ([]byte, bool) {
	if !v.has(row) {
		return nil, false
	}
	if v.keys != nil {
		row = int(int32(binary.LittleEndian.Uint32(v.keys[4*row:])))
	}
	from, to := binary.LittleEndian.Uint32(v.offsets[4*row:]), binary.LittleEndian.Uint32(v.offsets[4*row+4:])
	return v.bytes[from:to:to], true
}

// IntsView has the values of a column of integers, dates or timestamps.
type IntsView struct {
	view
	isNarrow bool
}

// Ints looks at a column of integers, dates or timestamps.
func (r *Rows) Ints(column Ints) IntsView {
	return IntsView{r.view(column.place), column.dataType == Int32 || column.dataType == Date}
}

// Get is a row's value; false where it is missing.
func (v *IntsView) Get(row int) (int64, bool) {
	if !v.has(row) {
		return 0, false
	}
	if v.isNarrow {
		return int64(int32(binary.LittleEndian.Uint32(v.values[4*row:]))), true
	}
	return int64(binary.LittleEndian.Uint64(v.values[8*row:])), true
}

// FloatsView has the values of a column of floating-point numbers.
type FloatsView struct {
	view
	isNarrow bool
}

// Floats looks at a column of floating-point numbers.
func (r *Rows) Floats(column Floats) FloatsView {
	return FloatsView{r.view(column.place), column.dataType == Float32}
}

// Get is a row's value; false where it is missing.
func (v *FloatsView) Get(row int) (float64, bool) {
	if !v.has(row) {
		return 0, false
	}
	if v.isNarrow {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v.values[4*row:]))), true
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(v.values[8*row:])), true
}

// BoolsView has the values of a column of booleans.
type BoolsView struct{ view }

// Bools looks at a column of booleans.
func (r *Rows) Bools(column Bools) BoolsView { return BoolsView{r.view(column.place)} }

// Get is a row's value; false where it is missing.
func (v *BoolsView) Get(row int) (value, found bool) {
	if !v.has(row) {
		return false, false
	}
	return bit(v.values, row), true
}

// Choice is which rows stay, and which records are refused.
type Choice struct {
	plan    *Plan
	rows    *Rows
	refused []refusedRow
	err     error
}

// The rows of a table that were chosen; all where there is none.
type selection struct{ rows []uint32 }

type refusedRow struct {
	table, row int
	reason     string
}

// Keep keeps those rows of a table that the plugin gives for which keep says so. Rows are those of its source.
func (c *Choice) Keep(table string, keep func(row int) bool) {
	found, err := c.plan.Table(table)
	if err != nil {
		c.err = err
		return
	}
	chosen := &selection{rows: []uint32{}}
	for row := range c.rows.batches[found.source].rows {
		if keep(row) {
			chosen.rows = append(chosen.rows, uint32(row))
		}
	}
	found.choice = chosen
}

// Rows are the rows of its source that a table has as things stand; none where there is no such table.
func (c *Choice) Rows(table string) func(yield func(row int) bool) {
	return func(yield func(row int) bool) {
		found, err := c.plan.Table(table)
		if err != nil {
			return
		}
		for at := range found.rows(c.rows) {
			row := at
			if found.choice != nil {
				row = int(found.choice.rows[at])
			}
			if !yield(row) {
				return
			}
		}
	}
}

// rows is how many rows a table has as things stand.
func (t *Table) rows(rows *Rows) int {
	if t.choice == nil {
		return rows.batches[t.source].rows
	}
	return len(t.choice.rows)
}

// Refuse refuses the Kafka record that a row of a given table came from: it becomes a dead letter with this reason.
func (c *Choice) Refuse(table string, row int, reason string) {
	at, err := c.plan.source(table)
	if err != nil {
		c.err = err
		return
	}
	c.refused = append(c.refused, refusedRow{at, row, reason})
}

// Count adds to a counter, which appears as weir_plugin_counter_total{plugin, counter}.
func (c *Choice) Count(counter string, amount uint64) { weir.Count(counter, amount) }

// transform runs a plugin on a batch. The columns that it has made are in the plan then, one value for each row.
func (p *Plan) transform(plugin Plugin, batches []batch) (*Choice, error) {
	rows := &Rows{p, batches}
	choice := &Choice{plan: p, rows: rows}
	for _, table := range p.tables {
		table.choice = nil
		for _, column := range table.made {
			column.values.clear()
		}
	}
	if err := plugin.Transform(rows, choice); err != nil {
		return nil, err
	}
	for _, table := range p.tables {
		for _, column := range table.made {
			if there, wanted := column.values.length(), table.rows(rows); there != wanted {
				return nil, fmt.Errorf("column `%s.%s` has %d values, not %d", table.name, column.field.Name, there, wanted)
			}
		}
	}
	return choice, choice.err
}

// A column that a plugin makes: its field and its values.
type madeColumn struct {
	field  Field
	values made
}

type made interface {
	length() int
	nulls() int
	clear()
	// buffers are those after the validity, which is the first.
	buffers() [][]byte
	validity() []byte
}

// presence notes which values are there.
type presence struct {
	bits         []byte
	rows, absent int
}

func (p *presence) push(is bool) {
	p.bits = pushBit(p.bits, p.rows, is)
	p.rows++
	if !is {
		p.absent++
	}
}

func (p *presence) length() int { return p.rows }
func (p *presence) nulls() int  { return p.absent }
func (p *presence) reset()      { *p = presence{bits: p.bits[:0]} }

func (p *presence) validity() []byte {
	if p.absent == 0 {
		return nil
	}
	return p.bits
}

func pushBit(bits []byte, at int, is bool) []byte {
	if at%8 == 0 {
		bits = append(bits, 0)
	}
	if is {
		bits[at/8] |= 1 << (at % 8)
	}
	return bits
}

// BoolColumn is a column of booleans that a plugin makes.
type BoolColumn struct {
	presence
	values []byte
}

// Push appends a value.
func (c *BoolColumn) Push(value bool) {
	c.values = pushBit(c.values, c.rows, value)
	c.push(true)
}

// PushNull appends a missing value.
func (c *BoolColumn) PushNull() {
	c.values = pushBit(c.values, c.rows, false)
	c.push(false)
}

func (c *BoolColumn) clear()            { c.reset(); c.values = c.values[:0] }
func (c *BoolColumn) buffers() [][]byte { return [][]byte{c.values} }

// IntColumn is a column of 64-bit integers that a plugin makes.
type IntColumn struct {
	presence
	values []byte
}

// Push appends a value.
func (c *IntColumn) Push(value int64) {
	c.values = binary.LittleEndian.AppendUint64(c.values, uint64(value))
	c.push(true)
}

// PushNull appends a missing value.
func (c *IntColumn) PushNull() {
	c.values = binary.LittleEndian.AppendUint64(c.values, 0)
	c.push(false)
}

func (c *IntColumn) clear()            { c.reset(); c.values = c.values[:0] }
func (c *IntColumn) buffers() [][]byte { return [][]byte{c.values} }

// FloatColumn is a column of 64-bit floating-point numbers that a plugin makes.
type FloatColumn struct {
	presence
	values []byte
}

// Push appends a value.
func (c *FloatColumn) Push(value float64) {
	c.values = binary.LittleEndian.AppendUint64(c.values, math.Float64bits(value))
	c.push(true)
}

// PushNull appends a missing value.
func (c *FloatColumn) PushNull() {
	c.values = binary.LittleEndian.AppendUint64(c.values, 0)
	c.push(false)
}

func (c *FloatColumn) clear()            { c.reset(); c.values = c.values[:0] }
func (c *FloatColumn) buffers() [][]byte { return [][]byte{c.values} }

// TextColumn is a column of text that a plugin makes.
type TextColumn struct {
	presence
	offsets, bytes []byte
}

// Push appends a value.
func (c *TextColumn) Push(value []byte) {
	c.bytes = append(c.bytes, value...)
	c.end(true)
}

// PushNull appends a missing value.
func (c *TextColumn) PushNull() { c.end(false) }

func (c *TextColumn) end(is bool) {
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0, 0, 0, 0)
	}
	c.offsets = binary.LittleEndian.AppendUint32(c.offsets, uint32(len(c.bytes)))
	c.push(is)
}

func (c *TextColumn) clear()            { c.reset(); c.offsets, c.bytes = c.offsets[:0], c.bytes[:0] }
func (c *TextColumn) buffers() [][]byte { return [][]byte{c.offsets, c.bytes} }
