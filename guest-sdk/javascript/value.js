// Attributes and their values.

import {
  Malformed, Pieces, mismatch, next, varint, view, number as fieldNumber, type as fieldType, from as fieldFrom, to as fieldTo,
} from './wire.js';
import { decode, encode, same } from './text.js';

/** Values may lie in each other so deep: an attribute's value is at depth 1. */
const DEPTH_MAX = 64;

const EMPTY = new Uint8Array();

/** The value of an attribute, or a log record's body. Nothing of it is read before it is asked for. */
export class Value {
  /** `v` holds the message AnyValue in [from, to). */
  constructor(v, from, to) {
    this.v = v;
    this.from = from;
    this.to = to;
    this.kind = undefined;
  }

  /** The value as JavaScript has it: text, boolean, number (BigInt beyond 2^53), Uint8Array, array, object; null where empty. */
  get() {
    this.#read();
    switch (this.kind) {
      case 'string': return decode(this.v, this.at, this.end);
      case 'int': {
        const value = this.#int();
        return Number.isSafeInteger(Number(value)) ? Number(value) : value;
      }
      case 'array': return this.#elements().map((value) => value.get());
      case 'kvlist': return Object.fromEntries(this.#entries().map(({ key, value }) => [decode(key), value.get()]));
      case 'bytes': return view(this.v, this.at, this.end);
      default: return this.scalar;
    }
  }

  /**
   * The value's text, as UTF-8 (OpenTelemetry specification, common, "AnyValue representation for non-OTLP protocols"): a
   * string as it is, numbers and booleans as JSON has them, bytes as base64, nothing for an empty value. Arrays and
   * key-value lists are JSON.
   */
  text() {
    this.#read();
    if (this.kind === 'string') return view(this.v, this.at, this.end);
    if (this.kind === 'empty') return EMPTY;
    const out = new Pieces();
    this.#write(out, 1, false);
    return out.bytes();
  }

  /** The last of several members wins; arrays and lists that come in pieces are put together. */
  #read() {
    if (this.kind !== undefined) return;
    const { v, to } = this;
    let pieces = [];
    this.kind = 'empty';
    this.scalar = null;
    for (let at = this.from; at < to;) {
      at = next(v, at, to);
      const number = fieldNumber, type = fieldType, from = fieldFrom, end = fieldTo;
      if (number < 1 || number > 8) continue;
      if (type !== TYPES[number]) mismatch(v, at);
      const kind = KINDS[number];
      pieces = kind === this.kind ? [...pieces, view(v, from, end)] : [view(v, from, end)];
      [this.kind, this.at, this.end, this.scalar] = [kind, from, end, null];
      if (kind === 'bool') this.scalar = varint(v, from) !== 0;
      if (kind === 'double') this.scalar = new DataView(v.buffer, v.byteOffset + from, 8).getFloat64(0, true);
    }
    if (pieces.length > 1 && (this.kind === 'array' || this.kind === 'kvlist')) {
      const out = new Pieces();
      pieces.forEach((piece) => out.push(piece));
      [this.v, this.at, this.end] = [out.bytes(), 0, out.length];
    }
  }

  #int() {
    let value = 0n;
    for (let p = this.at; p < this.end; p++) value |= BigInt(this.v[p] & 0x7f) << BigInt(7 * (p - this.at));
    return BigInt.asIntN(64, value);
  }

  #parts(make) {
    const parts = [];
    for (let at = this.at; at < this.end;) {
      at = next(this.v, at, this.end);
      if (fieldNumber !== 1) continue;
      if (fieldType !== 2) mismatch(this.v, at);
      parts.push([fieldFrom, fieldTo]);
    }
    return parts.map(([from, to]) => make(this.v, from, to));
  }

  #elements() {
    return this.#parts((v, from, to) => new Value(v, from, to));
  }

  /** The last of the entries of each key, in order. */
  #entries() {
    const entries = this.#parts(readKeyValue);
    return entries.filter(({ key }, i) => !entries.some((later, j) => j > i && same(later.key, 0, later.key.length, key)));
  }

  #write(out, depth, isJson) {
    this.#read();
    const quote = (bytes) => [QUOTE, bytes, QUOTE].forEach((piece) => out.push(piece));
    const deeper = () => {
      if (depth >= DEPTH_MAX) throw new Malformed('values are nested more than 64 deep', this.from, this.v.length);
      return depth + 1;
    };
    switch (this.kind) {
      case 'string': return quote(escaped(view(this.v, this.at, this.end)));
      case 'bool': return out.push(encode(String(this.scalar)));
      case 'int': return out.push(encode(String(this.#int())));
      case 'double': {
        const text = encode(double(this.scalar));
        return isJson && !Number.isFinite(this.scalar) ? quote(text) : out.push(text);
      }
      case 'bytes': {
        const text = encode(base64(view(this.v, this.at, this.end)));
        return isJson ? quote(text) : out.push(text);
      }
      case 'array':
        out.push(encode('['));
        this.#elements().forEach((value, i) => {
          if (i > 0) out.push(COMMA);
          value.#write(out, deeper(), true);
        });
        return out.push(encode(']'));
      case 'kvlist':
        out.push(encode('{'));
        this.#entries().forEach(({ key, value }, i) => {
          if (i > 0) out.push(COMMA);
          quote(escaped(key));
          out.push(encode(':'));
          value.#write(out, deeper(), true);
        });
        return out.push(encode('}'));
      default: if (isJson) out.push(encode('null'));
    }
  }
}

// By the numbers of AnyValue's fields. The eighth is a number in a profile's dictionary, which records do not have.
const KINDS = ['', 'string', 'bool', 'int', 'double', 'array', 'kvlist', 'bytes', 'empty'];
const TYPES = [0, 2, 0, 0, 1, 2, 2, 2, 0];
const QUOTE = encode('"'), COMMA = encode(',');

/** A KeyValue's key and value; a value in pieces is put together. */
export function readKeyValue(v, at, to) {
  let key = EMPTY, pieces = [];
  while (at < to) {
    at = next(v, at, to);
    if (fieldNumber !== 1 && fieldNumber !== 2) continue;
    if (fieldType !== 2) mismatch(v, at);
    const part = view(v, fieldFrom, fieldTo);
    if (fieldNumber === 1) key = part;
    else pieces.push(part);
  }
  if (pieces.length === 1) return { key, value: new Value(pieces[0], 0, pieces[0].length) };
  const out = new Pieces();
  pieces.forEach((piece) => out.push(piece));
  return { key, value: new Value(out.bytes(), 0, out.length) };
}

/** The shortest decimal that reads back as the same number, as JSON and the other languages' SDKs write it. */
function double(value) {
  if (!Number.isFinite(value)) return String(value);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [digits, e] = shortest(Math.abs(value));
  if (value !== 0 && (e < -4 || e >= 16)) {
    return `${sign}${digits[0]}${digits.length > 1 ? `.${digits.slice(1)}` : ''}e${e}`;
  }
  if (e < 0) return `${sign}0.${'0'.repeat(-e - 1)}${digits}`;
  const whole = digits.padEnd(e + 1, '0');
  return `${sign}${whole.slice(0, e + 1)}.${whole.slice(e + 1) || '0'}`;
}

/**
 * The digits of a number, the fewest that read back, and the exponent of the first one. Of two that lie as near the larger
 * is taken, as the other languages' SDKs do. The engine rounds to each length and takes the first that reads back; at a
 * power of two a neighbour of what it rounds to may read back too, and be shorter.
 */
function shortest(value) {
  const parts = (text) => [text.slice(0, text.indexOf('e')).replace('.', ''), Number(text.slice(text.indexOf('e') + 1))];
  const isIt = ([digits, e]) => digits !== '' && Number(`${digits[0]}.${digits.slice(1)}e${e}`) === value;
  let found = parts(value.toExponential());
  const larger = parts(value.toExponential(found[0].length - 1));
  if (isIt(larger)) found = larger;
  for (;;) {
    const [digits, e] = found, cut = digits.slice(0, -1);
    const next = cut === '' ? '' : String(BigInt(cut) + 1n);
    const near = [[cut, e], [next, e + next.length - cut.length]];
    const shorter = (digits.at(-1) >= '5' ? near.reverse() : near).find(isIt);
    if (shorter === undefined) return found;
    found = [shorter[0].replace(/(?<=.)0+$/, ''), shorter[1]];
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base64 (RFC 4648, section 4), padded. */
function base64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const quad = [18, 12, 6, 0].map((shift) => ALPHABET[(bits >> shift) & 63]).join('');
    text += quad.slice(0, Math.min(bytes.length - i, 3) + 1).padEnd(4, '=');
  }
  return text;
}

const ESCAPES = { 0x22: '\\"', 0x5c: '\\\\', 0x0a: '\\n', 0x0d: '\\r', 0x09: '\\t', 0x08: '\\b', 0x0c: '\\f' };

/** What stands between the quotes of a JSON string (RFC 8259, section 7). Bytes that are not UTF-8 pass. */
function escaped(bytes) {
  if (bytes.every((byte) => byte >= 0x20 && byte !== 0x22 && byte !== 0x5c)) return bytes;
  const out = [];
  for (const byte of bytes) {
    if (byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) out.push(byte);
    else out.push(...encode(ESCAPES[byte] ?? `\\u00${byte.toString(16).padStart(2, '0')}`));
  }
  return Uint8Array.from(out);
}
