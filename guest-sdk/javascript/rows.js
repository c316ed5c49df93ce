// Columns that a plugin reads. A column looks at the batch of the call that is under way.

import { decode } from './text.js';

/** How many buffers a field of a type has. */
export const BUFFERS = {
  boolean: 2, int32: 2, int64: 2, float32: 2, float64: 2, date: 2, 'timestamp-utc': 2, 'timestamp-local': 2,
  utf8: 3, binary: 3, list: 2, map: 2, struct: 1, dictionary: 2,
};

const KINDS = {
  texts: ['text', ['utf8', 'binary', 'dictionary']],
  ints: ['integers', ['int32', 'int64', 'date', 'timestamp-utc', 'timestamp-local']],
  floats: ['floating-point numbers', ['float32', 'float64']],
  bools: ['booleans', ['boolean']],
};

/** A column that is read; `kind` is texts, ints, floats or bools. */
export function readColumn(kind, table, field) {
  const [what, types] = KINDS[kind];
  if (!types.includes(field.type)) {
    throw new Error(`it needs a column of ${what}, and \`${field.name}\` of table \`${table}\` is ${field.type}`);
  }
  return new { texts: TextColumn, ints: IntColumn, floats: FloatColumn, bools: BoolColumn }[kind](field.type);
}

/** A column of the rows at hand. */
class Column {
  constructor(type) {
    this.type = type;
    this.length = 0;
  }

  /** Looks at the buffers of a batch; the column's begin at `first`. */
  bind(rows, buffers, first) {
    this.length = rows;
    this.validity = buffers[first];
    this.load(buffers, first + 1);
  }

  /** Whether a row has a value. */
  has(row) {
    const { validity } = this;
    return row < this.length && (validity.length === 0 || ((validity[row >> 3] >> (row & 7)) & 1) === 1);
  }

  /** A row's value; null where it has none. */
  get(row) {
    return this.has(row) ? this.value(row) : null;
  }
}

/** The buffer as an array of numbers; copied only where it does not lie right. */
function typed(ArrayType, buffer, length) {
  if (buffer.byteOffset % ArrayType.BYTES_PER_ELEMENT !== 0) buffer = buffer.slice();
  return new ArrayType(buffer.buffer, buffer.byteOffset, length);
}

/** Texts or bytes. */
class TextColumn extends Column {
  load(buffers, at) {
    const isDictionary = this.type === 'dictionary';
    if (isDictionary) this.keys = typed(Int32Array, buffers[at], this.length);
    // A dictionary's values have a validity of their own.
    const [offsets, bytes] = isDictionary ? [buffers[at + 2], buffers[at + 3]] : [buffers[at], buffers[at + 1]];
    this.offsets = typed(Int32Array, offsets, offsets.length >> 2);
    this.bytesOfAll = bytes;
    this.decoded = [];
  }

  place(row) {
    return this.type === 'dictionary' ? this.keys[row] : row;
  }

  /** A string; of a column of bytes a Uint8Array. */
  value(row) {
    if (this.type === 'binary') return this.bytes(row);
    const at = this.place(row);
    return (this.decoded[at] ??= decode(this.bytesOfAll, this.offsets[at], this.offsets[at + 1]));
  }

  /** The UTF-8 of a row's text, not decoded; null where it has none. */
  bytes(row) {
    const at = this.place(row);
    return this.has(row) ? this.bytesOfAll.subarray(this.offsets[at], this.offsets[at + 1]) : null;
  }
}

/** Integers, dates in days, timestamps in microseconds. */
class IntColumn extends Column {
  load(buffers, at) {
    this.isNarrow = this.type === 'int32' || this.type === 'date';
    this.halves = typed(Int32Array, buffers[at], this.isNarrow ? this.length : 2 * this.length);
  }

  /** A number, rounded beyond 2^53. */
  value(row) {
    return this.isNarrow ? this.halves[row] : this.halves[2 * row + 1] * 0x100000000 + (this.halves[2 * row] >>> 0);
  }

  /** The exact value as a BigInt; null where there is none. */
  big(row) {
    if (!this.has(row)) return null;
    if (this.isNarrow) return BigInt(this.halves[row]);
    return (BigInt(this.halves[2 * row + 1]) << 32n) | BigInt(this.halves[2 * row] >>> 0);
  }
}

/** Floating-point numbers. */
class FloatColumn extends Column {
  load(buffers, at) {
    /** All values as a typed array; where a row has none, anything. */
    this.values = typed(this.type === 'float32' ? Float32Array : Float64Array, buffers[at], this.length);
  }

  value(row) {
    return this.values[row];
  }
}

/** Booleans. */
class BoolColumn extends Column {
  load(buffers, at) {
    this.bits = buffers[at];
  }

  value(row) {
    return ((this.bits[row >> 3] >> (row & 7)) & 1) === 1;
  }
}
