// Columns that a plugin makes. Each gives its node and its buffers as Arrow lays them out (`interface columns` of the
// contract says how).

import { encode } from './text.js';

const EMPTY = new Uint8Array();
const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** A column to fill: a value for each row that stays, or null. */
class Column {
  constructor(type, doc) {
    this.type = type;
    this.doc = doc;
    this.name = '';
    this.clear();
  }

  /** Appends a value, or null. */
  push(value) {
    if (value === null || value === undefined) {
      this.nulls++;
      this.values.push(null);
    } else {
      this.values.push(this.checked(value));
    }
  }

  /** How many values it has. */
  get length() {
    return this.values.length;
  }

  clear() {
    this.values = [];
    this.nulls = 0;
  }

  wrong(expected, value) {
    const found = typeof value === 'object' ? value.constructor?.name : typeof value === 'string' ? `"${value.slice(0, 40)}"` : `${typeof value} ${value}`;
    return new TypeError(`column \`${this.name}\` takes ${expected}, not ${found} (value ${this.length})`);
  }

  /** The fields that describe it, depth first. */
  fields() {
    return [{ name: this.name, type: this.type, nullable: true, doc: this.doc, children: 0 }];
  }

  /** Its nodes and buffers; it is empty then. */
  take(nodes, buffers) {
    nodes.push({ length: this.length, nullCount: this.nulls });
    buffers.push(this.nulls === 0 ? EMPTY : bits(this.values, (value) => value !== null));
    this.takeValues(nodes, buffers);
    this.clear();
  }
}

/** A bit for each value, the least significant first. */
function bits(values, isSet) {
  const out = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, i) => { if (isSet(value)) out[i >> 3] |= 1 << (i & 7); });
  return out;
}

class Booleans extends Column {
  checked(value) {
    if (typeof value !== 'boolean') throw this.wrong('true or false', value);
    return value;
  }

  takeValues(_, buffers) {
    buffers.push(bits(this.values, (value) => value === true));
  }
}

class Numbers extends Column {
  constructor(type, doc, ArrayType) {
    super(type, doc);
    this.ArrayType = ArrayType;
    this.isWhole = ArrayType === Int32Array;
  }

  checked(value) {
    if (typeof value !== 'number') throw this.wrong('numbers', value);
    if (this.isWhole && (value | 0) !== value) throw this.wrong('whole numbers of 32 bits', value);
    return value;
  }

  takeValues(_, buffers) {
    // A null becomes 0.
    buffers.push(bytesOf(this.ArrayType.from(this.values)));
  }
}

class Longs extends Column {
  checked(value) {
    const isBig = typeof value === 'bigint' && BigInt.asIntN(64, value) === value;
    if (!isBig && !Number.isSafeInteger(value)) throw this.wrong('whole numbers below 2^53, or BigInts of 64 bits', value);
    return value;
  }

  takeValues(_, buffers) {
    const halves = new Int32Array(2 * this.length);
    this.values.forEach((value, i) => {
      if (typeof value === 'bigint') {
        [halves[2 * i], halves[2 * i + 1]] = [Number(BigInt.asIntN(32, value)), Number(value >> 32n)];
      } else if (value !== null) {
        [halves[2 * i], halves[2 * i + 1]] = [value % 0x100000000, Math.floor(value / 0x100000000)];
      }
    });
    buffers.push(bytesOf(halves));
  }
}

class Texts extends Column {
  checked(value) {
    if (typeof value === 'string') return this.type === 'binary' ? this.refuse(value) : encode(value);
    return value instanceof Uint8Array ? value : this.refuse(value);
  }

  refuse(value) {
    throw this.wrong(this.type === 'binary' ? 'a Uint8Array' : 'a string, or a Uint8Array of UTF-8', value);
  }

  takeValues(_, buffers) {
    takeBytes(this.values, buffers);
  }
}

/** Offsets and bytes. */
function takeBytes(values, buffers) {
  const offsets = new Int32Array(values.length + 1);
  values.forEach((value, i) => { offsets[i + 1] = offsets[i] + (value === null ? 0 : value.length); });
  const bytes = new Uint8Array(offsets[values.length]);
  values.forEach((value, i) => { if (value !== null) bytes.set(value, offsets[i]); });
  buffers.push(bytesOf(offsets), bytes);
}

class Dictionary extends Column {
  checked(value) {
    if (typeof value !== 'string') throw this.wrong('a string', value);
    let key = this.keys.get(value);
    if (key === undefined) {
      key = this.keys.size;
      this.keys.set(value, key);
    }
    return key;
  }

  clear() {
    super.clear();
    this.keys = new Map();
  }

  fields() {
    const [own] = super.fields();
    return [{ ...own, children: 1 }, { name: 'values', type: 'utf8', nullable: false, doc: '', children: 0 }];
  }

  takeValues(nodes, buffers) {
    buffers.push(bytesOf(Int32Array.from(this.values)));
    nodes.push({ length: this.keys.size, nullCount: 0 });
    buffers.push(EMPTY);
    takeBytes([...this.keys.keys()].map(encode), buffers);
  }
}

/** The columns there are. Each takes a comment, which becomes the table's. */
export const column = {
  boolean: (doc = '') => new Booleans('boolean', doc),
  int32: (doc = '') => new Numbers('int32', doc, Int32Array),
  int64: (doc = '') => new Longs('int64', doc),
  float32: (doc = '') => new Numbers('float32', doc, Float32Array),
  float64: (doc = '') => new Numbers('float64', doc, Float64Array),
  /** Days since 1970. */
  date: (doc = '') => new Numbers('date', doc, Int32Array),
  /** Microseconds since 1970, a point in time. */
  timestampUtc: (doc = '') => new Longs('timestamp-utc', doc),
  /** Microseconds since 1970 on an unnamed clock. */
  timestampLocal: (doc = '') => new Longs('timestamp-local', doc),
  text: (doc = '') => new Texts('utf8', doc),
  bytes: (doc = '') => new Texts('binary', doc),
  /** Text that repeats. The table's column is a string all the same. */
  dictionary: (doc = '') => new Dictionary('dictionary', doc),
};
