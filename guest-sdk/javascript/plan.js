// What a plugin reads of the tables that it is given, and which tables it gives. It begins with all tables and columns
// going on as they are.

import { BUFFERS, readColumn } from './rows.js';

/** Splits fields, which lie depth first, into those of each column. */
function columnsOf(fields) {
  const columns = [];
  let missing = 0;
  for (const field of fields) {
    if (missing === 0) columns.push([field]);
    else columns.at(-1).push(field);
    missing += field.children - (missing > 0 ? 1 : 0);
  }
  return columns;
}

function missing(what, name, names) {
  return new Error(`there is no ${what} \`${name}\` (there are: ${names.join(', ')})`);
}

export class Plan {
  #given;
  #reads;
  #tables;

  constructor(given) {
    this.#given = given.map(({ name, doc, fields }) => ({ name, doc, columns: columnsOf(fields) }));
    this.#reads = given.map(() => new Map());
    this.#tables = this.#given.map((table, source) => new DerivedTable(source, table));
  }

  /** The tables that are given: name, doc, and columns with name, type, nullable and doc. */
  get given() {
    return this.#given.map(({ name, doc, columns }) => ({ name, doc, columns: columns.map(([field]) => field) }));
  }

  /** Reads a column of text or bytes, dictionary or not. */
  texts(table, column) { return this.#read('texts', table, column); }
  /** Reads a column of integers, dates (days) or timestamps (microseconds). */
  ints(table, column) { return this.#read('ints', table, column); }
  /** Reads a column of floating-point numbers. */
  floats(table, column) { return this.#read('floats', table, column); }
  /** Reads a column of booleans. */
  bools(table, column) { return this.#read('bools', table, column); }

  #read(kind, table, column) {
    const at = this.source(table), { columns } = this.#given[at];
    const index = columns.findIndex(([field]) => field.name === column);
    if (index < 0) throw missing(`column in table \`${table}\`, named`, column, columns.map(([field]) => field.name));
    const read = readColumn(kind, table, columns[index][0]);
    const reads = this.#reads[at];
    reads.set(index, [...(reads.get(index) ?? []), read]);
    return read;
  }

  /** A table that goes on, to change it. */
  table(name) {
    const found = this.#tables.find((table) => table.name === name);
    if (found === undefined) throw missing('table', name, this.#tables.map((table) => table.name));
    return found;
  }

  /** All tables that go on. */
  get tables() {
    return [...this.#tables];
  }

  /** Another table whose rows come from the given one `source`, with all of its columns. */
  copy(source, name) {
    const at = this.source(source);
    const copy = new DerivedTable(at, { ...this.#given[at], name });
    this.#tables.push(copy);
    return copy;
  }

  /** Ends a table here. */
  dropTable(name) {
    const dropped = this.table(name);
    this.#tables = this.#tables.filter((table) => table !== dropped);
  }

  /** A given table's index. */
  source(name) {
    const at = this.#given.findIndex((table) => table.name === name);
    if (at < 0) throw missing('table', name, this.#given.map((table) => table.name));
    return at;
  }

  /** The plan as the contract has it. */
  lower() {
    const reads = this.#reads.map((reads) => Uint32Array.from([...reads.keys()].sort((a, b) => a - b)));
    return { reads: reads.map((indices) => [...indices]), tables: this.#tables.map((table) => table.lower()) };
  }

  /** Shows a call's rows to the columns that are read. */
  bind(batches) {
    batches.forEach(({ rows, buffers }, table) => {
      let first = 0;
      for (const index of [...this.#reads[table].keys()].sort((a, b) => a - b)) {
        this.#reads[table].get(index).forEach((column) => column.bind(rows, buffers, first));
        first += this.#given[table].columns[index].reduce((sum, field) => sum + BUFFERS[field.type], 0);
      }
    });
  }
}

/** A table that a plugin gives. */
export class DerivedTable {
  constructor(source, { name, doc, columns }) {
    this.name = name;
    this.doc = doc;
    this.source = source;
    /** The source's columns that go on. */
    this.kept = columns.map(([field], index) => ({ index, old: field.name, name: field.name }));
    /** The columns that the plugin makes. */
    this.made = [];
  }

  /** The names of its columns that come from its source. */
  get columns() {
    return this.kept.map(({ name }) => name);
  }

  /** Keeps these columns alone, in this order. */
  keepOnly(...columns) {
    this.kept = columns.map((name) => this.#column(name));
    return this;
  }

  /** Drops these columns. */
  without(...columns) {
    const dropped = columns.map((name) => this.#column(name));
    this.kept = this.kept.filter((column) => !dropped.includes(column));
    return this;
  }

  /** Gives a column another name. */
  rename(column, name) {
    this.#column(column).name = name;
    return this;
  }

  /** Adds a column; one of the same name that would go on gives place to it. Gives the column back, to be filled. */
  add(name, column) {
    this.kept = this.kept.filter((kept) => kept.name !== name);
    column.name = name;
    this.made.push(column);
    return column;
  }

  #column(name) {
    const found = this.kept.find((column) => column.name === name);
    if (found === undefined) throw missing(`column in table \`${this.name}\`, named`, name, this.columns);
    return found;
  }

  lower() {
    const kept = this.kept.map(({ index, old, name }) => (
      old === name ? { tag: 'kept', val: index } : { tag: 'renamed', val: { column: index, name } }
    ));
    const made = this.made.map((column) => ({ tag: 'made', val: column.fields() }));
    return { name: this.name, doc: this.doc, source: this.source, columns: [...kept, ...made] };
  }
}
