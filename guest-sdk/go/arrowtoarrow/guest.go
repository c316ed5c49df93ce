//go:build wasm

package arrowtoarrow

import (
	"errors"

	"weir/abi"
)

var (
	configure Configure
	plugin    Plugin
	plan      *Plan
)

// Export makes a plugin of a function that reads its settings and looks at the tables that are given.
func Export(by Configure) { configure = by }

// The contract's records, as the ABI lays them out.
type (
	field struct {
		name     abi.Span
		dataType uint8
		nullable uint8
		doc      abi.Span
		children uint32
	}
	givenTable struct{ name, doc, fields abi.Span }
	column     struct {
		tag  uint32
		body [3]uint32
	}
	derivedTable struct {
		name, doc abi.Span
		source    uint32
		columns   abi.Span
	}
	node        struct{ length, nulls uint32 }
	recordBatch struct {
		rows           uint32
		nodes, buffers abi.Span
	}
	derivedRows struct {
		tag  uint32
		rows abi.Span
		made recordBatch
	}
	refused struct {
		table, row uint32
		reason     abi.Span
	}
)

//go:wasmexport weir:plugin/arrow-to-arrow@0.1.0#configure
func exportConfigure(settings, length, list, tables uint32) uint32 {
	defer abi.Explain()
	given := abi.Settings(settings, length)
	var read []GivenTable
	for _, table := range abi.List[givenTable](list, tables) {
		one := GivenTable{Name: abi.Text(table.name.At, table.name.Length), Doc: abi.Text(table.doc.At, table.doc.Length)}
		for _, f := range abi.List[field](table.fields.At, table.fields.Length) {
			one.Fields = append(one.Fields, Field{
				Name:     abi.Text(f.name.At, f.name.Length),
				Type:     DataType(f.dataType),
				Nullable: f.nullable&1 == 1,
				Doc:      abi.Text(f.doc.At, f.doc.Length),
				Children: int(f.children),
			})
		}
		read = append(read, one)
	}
	abi.Release()
	plan = NewPlan(read)
	made, err := configure(given, plan)
	if err == nil {
		err = given.RefuseTheRest()
	}
	plugin = made
	return abi.Answer(err, struct{ reads, tables abi.Span }{keepReads(), keepTables()})
}

func keepReads() abi.Span {
	var reads []abi.Span
	for _, columns := range plan.reads {
		reads = append(reads, abi.Keep(columns))
	}
	return abi.Keep(reads)
}

func keepTables() abi.Span {
	var tables []derivedTable
	for _, table := range plan.tables {
		var columns []column
		for _, kept := range table.kept {
			if kept.old == kept.name {
				columns = append(columns, column{0, [3]uint32{kept.at}})
				continue
			}
			name := abi.KeepText(kept.name)
			columns = append(columns, column{1, [3]uint32{kept.at, name.At, name.Length}})
		}
		for _, made := range table.made {
			f := made.field
			one := field{name: abi.KeepText(f.Name), dataType: uint8(f.Type), doc: abi.KeepText(f.Doc)}
			if f.Nullable {
				one.nullable = 1
			}
			fields := abi.Keep([]field{one})
			columns = append(columns, column{2, [3]uint32{fields.At, fields.Length}})
		}
		tables = append(tables, derivedTable{
			abi.KeepText(table.name), abi.KeepText(table.doc), uint32(table.source), abi.Keep(columns),
		})
	}
	return abi.Keep(tables)
}

//go:wasmexport weir:plugin/arrow-to-arrow@0.1.0#transform
func exportTransform(list, length uint32) uint32 {
	defer abi.Explain()
	if plugin == nil {
		return abi.Answer(errors.New("transform was called before configure"), struct{}{})
	}
	var batches []batch
	for _, given := range abi.List[recordBatch](list, length) {
		one := batch{rows: int(given.rows)}
		for _, buffer := range abi.List[abi.Span](given.buffers.At, given.buffers.Length) {
			one.buffers = append(one.buffers, abi.Bytes(buffer.At, buffer.Length))
		}
		batches = append(batches, one)
	}
	choice, err := plan.transform(plugin, batches)
	if err != nil {
		return abi.Answer(err, struct{}{})
	}
	var refusals []refused
	for _, row := range choice.refused {
		refusals = append(refusals, refused{uint32(row.table), uint32(row.row), abi.KeepText(row.reason)})
	}
	return abi.Answer(nil, struct{ tables, refused abi.Span }{keepRows(choice.rows), abi.Keep(refusals)})
}

func keepRows(rows *Rows) abi.Span {
	var tables []derivedRows
	for _, table := range plan.tables {
		one := derivedRows{made: recordBatch{rows: uint32(table.rows(rows))}}
		if table.choice != nil {
			one.tag, one.rows = 1, abi.Keep(table.choice.rows)
		}
		var nodes []node
		var buffers []abi.Span
		for _, column := range table.made {
			nodes = append(nodes, node{uint32(column.values.length()), uint32(column.values.nulls())})
			buffers = append(buffers, abi.Keep(column.values.validity()))
			for _, buffer := range column.values.buffers() {
				buffers = append(buffers, abi.Keep(buffer))
			}
		}
		one.made.nodes, one.made.buffers = abi.Keep(nodes), abi.Keep(buffers)
		tables = append(tables, one)
	}
	return abi.Keep(tables)
}

//go:wasmexport cabi_post_weir:plugin/arrow-to-arrow@0.1.0#configure
func forgetConfigure(uint32) { abi.Forget() }

//go:wasmexport cabi_post_weir:plugin/arrow-to-arrow@0.1.0#transform
func forgetTransform(uint32) { abi.Forget() }
