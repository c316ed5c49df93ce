// Package arrowtoarrow exports plugins that turn rows into rows: they filter rows, drop, rename and add columns, and
// split tables. Only what a plugin reads and makes crosses the sandbox; the host carries over the rest.
//
//	func init() { arrowtoarrow.Export(configure) }
//	func main() {}
package arrowtoarrow

import (
	"fmt"
	"slices"
	"strings"

	"weir"
)

// Plugin looks at the rows of a batch, chooses those that stay, and pushes to each added column a value for each row
// that stays. Without a word all rows stay. An error says that the batch as a whole cannot be done; Choice.Refuse costs
// less.
type Plugin interface {
	Transform(rows *Rows, choice *Choice) error
}

// Configure reads the settings, looks at the tables that are given, and says in the plan what the plugin reads of them
// and which tables it gives. Without a word all tables and columns go on as they are. An error is a mistake in the
// settings, or a table or column that is missing or of another type: the pipeline does not start.
type Configure func(settings *weir.Settings, plan *Plan) (Plugin, error)

// DataType is the type of a field, in the contract's order.
type DataType uint8

const (
	Boolean DataType = iota
	Int32
	Int64
	Float32
	Float64
	Date
	TimestampUTC
	TimestampLocal
	UTF8
	Binary
	List
	Struct
	Map
	Dictionary
)

// buffers is how many buffers a field of the type has.
func (t DataType) buffers() int {
	switch t {
	case Struct:
		return 1
	case UTF8, Binary:
		return 3
	default:
		return 2
	}
}

// Field is a column, or a part of a nested one; Children follow it.
type Field struct {
	Name     string
	Type     DataType
	Nullable bool
	Doc      string
	Children int
}

// GivenTable is a table of the plugin before, its fields depth first.
type GivenTable struct {
	Name, Doc string
	Fields    []Field
	// Where each column begins among the fields.
	columns []int
}

func (t *GivenTable) column(at int) Field { return t.Fields[t.columns[at]] }

// find gives a column's place, -1 where there is none.
func (t *GivenTable) find(name string) int {
	return slices.IndexFunc(t.columns, func(at int) bool { return t.Fields[at].Name == name })
}

// Plan is what a plugin reads and gives. It begins with all tables and columns going on as they are.
type Plan struct {
	Given  []GivenTable
	reads  [][]uint32
	tables []*Table
}

// Table is a table that a plugin gives.
type Table struct {
	name, doc string
	source    int
	kept      []keptColumn
	made      []madeColumn
	choice    *selection
}

// A column of the source that goes on, perhaps under another name.
type keptColumn struct {
	at        uint32
	old, name string
}

// A column that a plugin reads: its table's place, its own, and its type.
type place struct {
	table, column int
	dataType      DataType
}

type (
	// Texts is a column of text or bytes that is read, dictionary or not.
	Texts struct{ place }
	// Ints is a column of integers, dates (days) or timestamps (microseconds) that is read.
	Ints struct{ place }
	// Floats is a column of floating-point numbers that is read.
	Floats struct{ place }
	// Bools is a column of booleans that is read.
	Bools struct{ place }
)

// NewPlan is the plan that a plugin begins with.
func NewPlan(given []GivenTable) *Plan {
	plan := &Plan{Given: given, reads: make([][]uint32, len(given))}
	for at := range given {
		table := &given[at]
		missing := 0
		for index, field := range table.Fields {
			if missing == 0 {
				table.columns = append(table.columns, index)
			} else {
				missing--
			}
			missing += field.Children
		}
		plan.tables = append(plan.tables, copyOf(at, table))
	}
	return plan
}

func copyOf(source int, given *GivenTable) *Table {
	table := &Table{name: given.Name, doc: given.Doc, source: source}
	for at, index := range given.columns {
		name := given.Fields[index].Name
		table.kept = append(table.kept, keptColumn{uint32(at), name, name})
	}
	return table
}

// Texts reads a column of text or bytes.
func (p *Plan) Texts(table, column string) (Texts, error) {
	found, err := p.read(table, column, "text", UTF8, Binary, Dictionary)
	return Texts{found}, err
}

// Ints reads a column of integers, dates or timestamps.
func (p *Plan) Ints(table, column string) (Ints, error) {
	found, err := p.read(table, column, "integers", Int32, Int64, Date, TimestampUTC, TimestampLocal)
	return Ints{found}, err
}

// Floats reads a column of floating-point numbers.
func (p *Plan) Floats(table, column string) (Floats, error) {
	found, err := p.read(table, column, "floating-point numbers", Float32, Float64)
	return Floats{found}, err
}

// Bools reads a column of booleans.
func (p *Plan) Bools(table, column string) (Bools, error) {
	found, err := p.read(table, column, "booleans", Boolean)
	return Bools{found}, err
}

func (p *Plan) read(table, column, kind string, types ...DataType) (place, error) {
	at, err := p.source(table)
	if err != nil {
		return place{}, err
	}
	given := &p.Given[at]
	index := given.find(column)
	if index < 0 {
		var names []string
		for at := range given.columns {
			names = append(names, given.column(at).Name)
		}
		return place{}, missing(fmt.Sprintf("column of %s in table `%s`, named", kind, table), column, names)
	}
	dataType := given.column(index).Type
	if !slices.Contains(types, dataType) {
		return place{}, fmt.Errorf("it needs a column of %s, and `%s` of table `%s` is something else", kind, column, table)
	}
	if !slices.Contains(p.reads[at], uint32(index)) {
		p.reads[at] = append(p.reads[at], uint32(index))
		slices.Sort(p.reads[at])
	}
	return place{at, index, dataType}, nil
}

func (p *Plan) source(table string) (int, error) {
	var names []string
	for at, given := range p.Given {
		if given.Name == table {
			return at, nil
		}
		names = append(names, given.Name)
	}
	return 0, missing("table", table, names)
}

// Table gives a table that goes on, to change it.
func (p *Plan) Table(name string) (*Table, error) {
	var names []string
	for _, table := range p.tables {
		if table.name == name {
			return table, nil
		}
		names = append(names, table.name)
	}
	return nil, missing("table", name, names)
}

// Copy adds another table whose rows come from the given one, with all of its columns.
func (p *Plan) Copy(source, name, doc string) (*Table, error) {
	at, err := p.source(source)
	if err != nil {
		return nil, err
	}
	table := copyOf(at, &p.Given[at])
	table.name, table.doc = name, doc
	p.tables = append(p.tables, table)
	return table, nil
}

// DropTable ends a table here.
func (p *Plan) DropTable(name string) error {
	_, err := p.Table(name)
	p.tables = slices.DeleteFunc(p.tables, func(table *Table) bool { return table.name == name })
	return err
}

// Without drops columns.
func (t *Table) Without(columns ...string) error {
	for _, name := range columns {
		at, err := t.find(name)
		if err != nil {
			return err
		}
		t.kept = slices.Delete(t.kept, at, at+1)
	}
	return nil
}

// KeepOnly keeps these columns alone, in this order.
func (t *Table) KeepOnly(columns ...string) error {
	var kept []keptColumn
	for _, name := range columns {
		at, err := t.find(name)
		if err != nil {
			return err
		}
		kept = append(kept, t.kept[at])
	}
	t.kept = kept
	return nil
}

// Rename gives a column another name.
func (t *Table) Rename(column, name string) error {
	at, err := t.find(column)
	if err == nil {
		t.kept[at].name = name
	}
	return err
}

func (t *Table) find(column string) (int, error) {
	var names []string
	for at, kept := range t.kept {
		if kept.name == column {
			return at, nil
		}
		names = append(names, kept.name)
	}
	return 0, missing(fmt.Sprintf("column in table `%s`, named", t.name), column, names)
}

// AddBools adds a column. One that has the name of a column that would go on takes its place; so for those that follow.
func (t *Table) AddBools(name, doc string) *BoolColumn {
	column := &BoolColumn{}
	t.add(name, doc, Boolean, column)
	return column
}

// AddInts adds a column of 64-bit integers.
func (t *Table) AddInts(name, doc string) *IntColumn {
	column := &IntColumn{}
	t.add(name, doc, Int64, column)
	return column
}

// AddFloats adds a column of 64-bit floating-point numbers.
func (t *Table) AddFloats(name, doc string) *FloatColumn {
	column := &FloatColumn{}
	t.add(name, doc, Float64, column)
	return column
}

// AddTexts adds a column of text.
func (t *Table) AddTexts(name, doc string) *TextColumn {
	column := &TextColumn{}
	t.add(name, doc, UTF8, column)
	return column
}

func (t *Table) add(name, doc string, dataType DataType, column made) {
	t.kept = slices.DeleteFunc(t.kept, func(kept keptColumn) bool { return kept.name == name })
	t.made = append(t.made, madeColumn{Field{Name: name, Type: dataType, Nullable: true, Doc: doc}, column})
}

func missing(what, name string, thereAre []string) error {
	return fmt.Errorf("there is no %s `%s` (there are: %s)", what, name, strings.Join(thereAre, ", "))
}
