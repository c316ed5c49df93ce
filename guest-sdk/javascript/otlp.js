// Changes OTLP protobuf where it lies: what does not change is copied as it is, unknown fields too. Each function gives
// back the very value that it was given where nothing changes; then nothing is copied at all.

import {
  DROP, KEEP, Pieces, edit, mismatch, next, view, number as fieldNumber, type as fieldType, from as fieldFrom, to as fieldTo,
} from './wire.js';
import { decode, encode, Names } from './text.js';
import { readKeyValue, Value } from './value.js';
import { LogRecord, Metric, Resource, Span } from './item.js';

export { DROP, KEEP };

// The messages on the way to attributes, by field number (opentelemetry-proto's .proto files): another message, or the
// level that the attributes are of.
const message = (parts) => Object.assign([], parts);
const exemplar = message({ 7: 'exemplar' });
const number = message({ 5: exemplar, 7: 'point' });
const histogram = message({ 8: exemplar, 9: 'point' });
const exponential = message({ 1: 'point', 11: exemplar });
const summary = message({ 7: 'point' });
const points = (point) => message({ 1: point });
const span = message({ 9: 'span', 11: message({ 3: 'event' }), 13: message({ 4: 'link' }) });
const logRecord = message({ 6: 'log_record' });
const metric = message({
  5: points(number), 7: points(number), 9: points(histogram), 10: points(exponential), 11: points(summary), 12: 'metric',
});
const data = (item) => message({ 1: message({ 1: message({ 1: 'resource' }), 2: message({ 1: message({ 3: 'scope' }), 2: item }) }) });
const DATA = { traces: data(span), logs: data(logRecord), metrics: data(metric) };

/** An attribute that `editAttributes` shows. */
export class Attribute {
  #value;

  constructor(level, key, value) {
    /** Whose it is: resource, scope, span, event, link, log_record, metric, point or exemplar. */
    this.level = level;
    /** Its key. */
    this.key = key;
    this.#value = value;
  }

  /** Its value, as JavaScript has it. */
  get value() {
    return this.#value.get();
  }

  /** Its value's text, as UTF-8 bytes: what `decode` makes a string of. */
  text() {
    return this.#value.text();
  }
}

/**
 * Decides for each attribute of a record's value that has one of these keys (`new Names([...])`; all where it is null), on
 * all levels. `decide(attribute)` says KEEP, DROP, or the text (a string, or bytes) that the attribute has from now on.
 * Attributes within values are not looked at.
 */
export function editAttributes(signal, value, names, decide) {
  const root = DATA[signal];
  if (root === undefined) throw new TypeError(`there is no signal \`${signal}\`: it is traces, logs or metrics`);
  const edited = editMessage(value, 0, value.length, root, names, decide);
  return edited === KEEP ? value : edited.bytes();
}

function editMessage(v, at, end, parts, names, decide) {
  let out = KEEP, done = at;
  while (at < end) {
    const begin = at;
    at = next(v, at, end);
    const field = fieldNumber, part = parts[field];
    if (part === undefined) continue;
    if (fieldType !== 2) mismatch(v, at);
    const edited = typeof part === 'string'
      ? editAttribute(v, fieldFrom, at, part, names, decide)
      : editMessage(v, fieldFrom, at, part, names, decide);
    if (edited === KEEP) continue;
    if (out === KEEP) out = new Pieces();
    if (begin > done) out.push(view(v, done, begin));
    if (edited !== DROP) out.field(field, edited);
    done = at;
  }
  if (out !== KEEP && end > done) out.push(view(v, done, end));
  return out;
}

function editAttribute(v, from, to, level, names, decide) {
  const short = shortKey(v, from, to);
  let key, value;
  if (short > 0) {
    key = names === null ? decode(v, from + 2, short) : names.find(v, from + 2, short);
    if (key === undefined) return KEEP;
    value = new Value(v, short + 2, to);
  } else {
    const read = readKeyValue(v, from, to);
    key = names === null ? decode(read.key) : names.find(read.key, 0, read.key.length);
    if (key === undefined) return KEEP;
    value = read.value;
  }
  const change = decide(new Attribute(level, key, value));
  if (change === KEEP || change === DROP) return change;
  return withText(v, from, to, short, change);
}

/** Where the key of a KeyValue ends that is what nearly each is, a short key, then a short value; 0 for any other. */
function shortKey(v, from, to) {
  if (v[from] !== 0x0a || v[from + 1] > 0x7f) return 0;
  const end = from + 2 + v[from + 1];
  return end + 2 <= to && v[end] === 0x12 && v[end + 1] <= 0x7f && end + 2 + v[end + 1] === to ? end : 0;
}

/** The attribute in v[from, to) with a text for its value; `short` is where its short key ends. */
function withText(v, from, to, short, text) {
  if (short > 0) {
    const out = new Pieces();
    out.push(view(v, from, short));
    return out.field(2, new Pieces().field(1, bytesOf(text)));
  }
  const out = edit(v, from, to, (field) => (field === 2 ? DROP : KEEP)) ?? new Pieces();
  if (out.length === 0) out.push(view(v, from, to));
  return out.field(2, new Pieces().field(1, bytesOf(text)));
}

function bytesOf(text) {
  if (typeof text === 'string') return encode(text);
  if (text instanceof Uint8Array) return text;
  throw new TypeError(`an attribute's text is a string or a Uint8Array, not ${text === null ? 'null' : typeof text}`);
}

/** Sets an attribute of each resource of a record's value to a text: what it had under this key goes. */
export function setResourceAttribute(value, key, text) {
  const names = new Names([key]);
  const attribute = new Pieces().field(1, encode(key)).field(2, new Pieces().field(1, bytesOf(text))).bytes();
  const edited = edit(value, 0, value.length, (field, from, to, type) => {
    if (field !== 1) return KEEP;
    if (type !== 2) mismatch(value, to);
    let isThere = false;
    const items = edit(value, from, to, (field, from, to, type) => {
      if (field !== 1) return KEEP;
      if (type !== 2) mismatch(value, to);
      const resource = withoutAttribute(value, from, to, names);
      // Of a resource in pieces, which are merged, one piece gets it.
      if (!isThere) resource.field(1, attribute);
      isThere = true;
      return resource;
    });
    if (isThere) return items;
    const out = new Pieces().field(1, new Pieces().field(1, attribute));
    out.push(view(value, from, to));
    return out;
  });
  return edited === KEEP ? value : edited.bytes();
}

function withoutAttribute(v, from, to, names) {
  const out = new Pieces();
  for (let at = from; at < to;) {
    const begin = at;
    at = next(v, at, to);
    const number = fieldNumber, inner = fieldFrom, end = fieldTo;
    if (number === 1) {
      const { key } = readKeyValue(v, inner, end);
      if (names.find(key, 0, key.length) !== undefined) continue;
    }
    out.push(view(v, begin, at));
  }
  return out;
}

/**
 * Keeps the spans for which `keep(span, resource)` says so. Scopes and resources of which no span stays go too, and a
 * value of which nothing stays is empty.
 */
export function keepSpans(value, keep) {
  return keepItems(value, Span, keep);
}

/** Keeps the log records for which `keep(record, resource)` says so; as keepSpans. */
export function keepLogRecords(value, keep) {
  return keepItems(value, LogRecord, keep);
}

/** Keeps the metrics for which `keep(metric, resource)` says so, with all their points; as keepSpans. */
export function keepMetrics(value, keep) {
  return keepItems(value, Metric, keep);
}

function keepItems(v, Kind, keep) {
  const edited = keepParts(v, 0, v.length, 1, (from, to) => {
    const resource = new Resource(resourceOf(v, from, to));
    return keepParts(v, from, to, 2, (from, to) => keepParts(v, from, to, 2, (from, to) => {
      const answer = keep(new Kind(v, from, to), resource);
      if (typeof answer !== 'boolean') throw new TypeError(`what says whether to keep gives true or false, not ${answer}`);
      return answer ? KEEP : DROP;
    }));
  });
  if (edited === KEEP) return v;
  return edited === DROP ? new Uint8Array() : edited.bytes();
}

/** A message of which parts have gone goes itself when none is left. One that never had any stays. */
function keepParts(v, from, to, part, decide) {
  let left = 0;
  const out = edit(v, from, to, (field, from, to, type) => {
    if (field !== part) return KEEP;
    if (type !== 2) mismatch(v, to);
    const edited = decide(from, to);
    if (edited !== DROP) left++;
    return edited;
  });
  return out !== KEEP && left === 0 ? DROP : out;
}

/** The bytes of the resource, which may come in pieces. */
function resourceOf(v, at, end) {
  const pieces = new Pieces();
  while (at < end) {
    at = next(v, at, end);
    if (fieldNumber !== 1) continue;
    if (fieldType !== 2) mismatch(v, at);
    pieces.push(view(v, fieldFrom, fieldTo));
  }
  return pieces.pieces.length === 1 ? pieces.pieces[0] : pieces.bytes();
}
