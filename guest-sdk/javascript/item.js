// Spans, log records and metrics to look at. An item is read when something of it is first asked for.

import {
  mismatch, next, varint, view, number as fieldNumber, type as fieldType, from as fieldFrom, to as fieldTo,
} from './wire.js';
import { decode, hex, Names } from './text.js';
import { readKeyValue, Value } from './value.js';

/** A part of a record's value. */
export class Item {
  #v;
  #fields;

  constructor(v, from = 0, to = v.length) {
    this.#v = view(v, from, to);
  }

  /** The last field of this number, as [from, to, type] in the item's bytes. */
  #last(number) {
    return this.#read()[number]?.at(-1);
  }

  #read() {
    if (this.#fields !== undefined) return this.#fields;
    const v = this.#v, fields = [];
    for (let at = 0; at < v.length;) {
      at = next(v, at, v.length);
      (fields[fieldNumber] ??= []).push([fieldFrom, fieldTo, fieldType]);
    }
    return (this.#fields = fields);
  }

  #bytes(number) {
    const [from, to, type] = this.#last(number) ?? [0, 0, 2];
    if (type !== 2) mismatch(this.#v, to);
    return view(this.#v, from, to);
  }

  text(number) {
    return decode(this.#bytes(number));
  }

  hex(number) {
    return hex(this.#bytes(number));
  }

  item(number) {
    return new Item(this.#bytes(number));
  }

  body(number) {
    const bytes = this.#bytes(number);
    return new Value(bytes, 0, bytes.length).get();
  }

  integer(number) {
    const [from, to, type] = this.#last(number) ?? [0, 0, 0];
    if (type !== 0) mismatch(this.#v, to);
    return from === to ? 0 : varint(this.#v, from);
  }

  /** The two halves of 64 bits. */
  halves(number) {
    const [from, to, type] = this.#last(number) ?? [0, 0, 1];
    if (type !== 1) mismatch(this.#v, to);
    if (from === to) return [0, 0];
    const view = new DataView(this.#v.buffer, this.#v.byteOffset + from, 8);
    return [view.getUint32(0, true), view.getUint32(4, true)];
  }

  nanos(number) {
    const [low, high] = this.halves(number);
    return (BigInt(high) << 32n) | BigInt(low);
  }

  has(number) {
    return this.#last(number) !== undefined;
  }

  /** The value of the last attribute of this key; undefined where there is none. */
  find(number, key) {
    const names = new Names([key]);
    for (const [from, to, type] of (this.#read()[number] ?? []).slice().reverse()) {
      if (type !== 2) mismatch(this.#v, to);
      const read = readKeyValue(this.#v, from, to);
      if (names.find(read.key, 0, read.key.length) !== undefined) return read.value.get();
    }
    return undefined;
  }
}

/** What sent the items. */
export class Resource {
  #item;

  constructor(v) {
    this.#item = new Item(v);
  }

  /** The value of an attribute; undefined where there is none. */
  attribute(key) {
    return this.#item.find(1, key);
  }
}

/** A span. Times are BigInt nanoseconds since 1970. */
export class Span {
  #item;

  constructor(v, from, to) {
    this.#item = new Item(v, from, to);
  }

  get traceId() { return this.#item.hex(1); }
  get spanId() { return this.#item.hex(2); }
  get parentSpanId() { return this.#item.hex(4); }
  get name() { return this.#item.text(5); }
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  get kind() { return this.#item.integer(6); }
  get startTimeUnixNano() { return this.#item.nanos(7); }
  get endTimeUnixNano() { return this.#item.nanos(8); }

  /** From begin to end in milliseconds; 0 where it ends before it begins. Cheaper than the times. */
  get durationMs() {
    const [startLow, startHigh] = this.#item.halves(7), [endLow, endHigh] = this.#item.halves(8);
    return Math.max(0, ((endHigh - startHigh) * 0x100000000 + (endLow - startLow)) / 1e6);
  }

  /** 0 unset, 1 ok, 2 error. */
  get statusCode() { return this.#item.item(15).integer(3); }
  get statusMessage() { return this.#item.item(15).text(2); }

  /** The value of an attribute; undefined where there is none. */
  attribute(key) {
    return this.#item.find(9, key);
  }
}

/** A log record. Times are BigInt nanoseconds since 1970. */
export class LogRecord {
  #item;

  constructor(v, from, to) {
    this.#item = new Item(v, from, to);
  }

  get timeUnixNano() { return this.#item.nanos(1); }
  get observedTimeUnixNano() { return this.#item.nanos(11); }
  /** 1 to 24; 9 is the first of INFO, 17 the first of ERROR; 0 unspecified. */
  get severityNumber() { return this.#item.integer(2); }
  get severityText() { return this.#item.text(3); }
  /** As an attribute's value. */
  get body() { return this.#item.body(5); }
  get traceId() { return this.#item.hex(9); }
  get spanId() { return this.#item.hex(10); }

  /** The value of an attribute; undefined where there is none. */
  attribute(key) {
    return this.#item.find(6, key);
  }
}

/** A metric. */
export class Metric {
  #item;

  constructor(v, from, to) {
    this.#item = new Item(v, from, to);
  }

  get name() { return this.#item.text(1); }
  get description() { return this.#item.text(2); }
  get unit() { return this.#item.text(3); }

  /** gauge, sum, histogram, exponential_histogram or summary; undefined where it has no data. */
  get kind() {
    const kinds = { 5: 'gauge', 7: 'sum', 9: 'histogram', 10: 'exponential_histogram', 11: 'summary' };
    return kinds[Object.keys(kinds).find((number) => this.#item.has(number))];
  }
}
