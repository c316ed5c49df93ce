import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { DROP, editAttributes, KEEP, keepSpans, setResourceAttribute } from '../otlp.js';
import { decode, encode, hex, Names, sha256 } from '../text.js';
import { Value } from '../value.js';
import { attribute, data, message, minusSeven, raw, text } from './encode.js';

const NAMES = new Names(['secret', 'user']);
const redact = ({ key, text }) => (key === 'secret' ? DROP : 'x');
const mask = (attribute) => (attribute.key === 'secret' ? DROP : hex(sha256(attribute.text())));

const BEFORE = [attribute('kept', 'x'), attribute('secret', 's3cret'), attribute('user', 'ada'), attribute('user', minusSeven)];
const sha = (text) => createHash('sha256').update(text).digest('hex');
const AFTER = [BEFORE[0], attribute('user', sha('ada')), attribute('user', sha('-7'))];
const as = (number, attributes) => attributes.map((attribute) => [number, attribute]);

/** Attributes on each level of each signal. */
function records(all) {
  const exemplar = (number) => [number, message(...as(7, all))];
  const point = (attributes, exemplars) => message(...as(attributes, all), ...(exemplars ? [exemplar(exemplars)] : []));
  const around = (item) => message([1, message(
    [1, message(...as(1, all))],
    [2, message([1, message([1, 'scope'], ...as(3, all))], [2, item])],
  )]);
  const metric = (kind, attributes, exemplars) => around(message([1, 'm'], ...as(12, all), [kind, message([1, point(attributes, exemplars)])]));
  return [
    ['traces', around(message([5, 'secret'], ...as(9, all), [11, message(...as(3, all))], [13, message(...as(4, all))]))],
    ['logs', around(message(...as(6, all)))],
    ['metrics', metric(5, 7, 5)], ['metrics', metric(7, 7, 5)], ['metrics', metric(9, 9, 8)],
    ['metrics', metric(10, 1, 11)], ['metrics', metric(11, 7)],
  ];
}

test('attributes are removed or hashed on all levels of all signals', () => {
  const [before, after] = [records(BEFORE), records(AFTER)];
  before.forEach(([signal, value], i) => {
    assert.deepEqual(editAttributes(signal, value, NAMES, mask), after[i][1], `record ${i}`);
    assert.deepEqual(editAttributes(signal, value, null, (a) => (NAMES.find(encode(a.key), 0, a.key.length) ? mask(a) : KEEP)), after[i][1]);
  });
});

test('a record in which nothing changes is given back itself', () => {
  for (const [signal, value] of records(BEFORE)) {
    assert.equal(editAttributes(signal, value, new Names(['other']), redact), value);
    assert.equal(editAttributes(signal, value, NAMES, () => KEEP), value);
  }
});

test('what is malformed is refused, with its place', () => {
  const value = data(message([9, attribute('secret', 'x')]));
  assert.throws(() => editAttributes('traces', value.subarray(0, value.length - 1), NAMES, redact), {
    message: `not OTLP protobuf: the message ends within a field at byte 2 of ${value.length - 1}`,
  });
  for (const [bytes, fault] of [
    [[0x00], 'a field number is 0 or too large at byte 0 of 1'],
    [[0x80], 'the message ends within a field at byte 0 of 1'],
    [[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], 'a varint is longer than 64 bits at byte 1 of 11'],
    [[0x0f], 'there is no such wire type at byte 1 of 1'],
    [[0x0c], 'a group ends that did not begin, or lies too deep at byte 1 of 1'],
    [[0x08, 0x01], 'a field has the wrong wire type at byte 2 of 2'],
    [[0x0b, 0x10, 0x01], 'the message ends within a field at byte 3 of 3'],
    [[0x0a, 0x05, 0x00], 'the message ends within a field at byte 2 of 3'],
  ]) {
    assert.throws(() => editAttributes('traces', Uint8Array.from(bytes), NAMES, redact), { message: `not OTLP protobuf: ${fault}` });
  }
  const group = Uint8Array.from([0x13, 0x1b, 0x08, 0x01, 0x1c, 0x14]);
  assert.equal(editAttributes('traces', group, NAMES, redact), group);
});

test('a value in pieces is put together, and the last of several members wins', () => {
  const value = data(message(), [[1, message([1, 'user'], [2, text('wrong')], [2, text('ada')])]]);
  assert.deepEqual(editAttributes('traces', value, NAMES, mask), data(message(), [[1, AFTER[1]]]));
});

test('values are written as text like everywhere', () => {
  const of = (...fields) => {
    const bytes = message(...fields);
    return decode(new Value(bytes, 0, bytes.length).text());
  };
  const double = (value) => {
    const bytes = new Uint8Array(9);
    bytes[0] = 0x21;
    new DataView(bytes.buffer).setFloat64(1, value, true);
    return raw(...bytes);
  };
  const doubles = [[1, '1.0'], [-0.0, '-0.0'], [0.1, '0.1'], [1e15, '1000000000000000.0'], [1e16, '1e16'], [1.5e300, '1.5e300'],
    [0.0001, '0.0001'], [0.00001, '1e-5'], [-123.25, '-123.25'], [NaN, 'NaN'], [-Infinity, '-Infinity'], [5e-324, '5e-324'],
    [7.120236347223045e-307, '7.120236347223045e-307'], [2 ** 89, '6.189700196426902e26'], [2 ** -25, '2.9802322387695313e-8'], [1302221004903688.25, '1302221004903688.3'],
     [9.5, '9.5'], [0, '0.0'], [100, '100.0']];
  for (const [value, expected] of doubles) assert.equal(of(double(value)), expected);
  assert.equal(of(raw(0x10, 0x01)), 'true');
  assert.equal(of(raw(0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)), '-9223372036854775808');
  assert.equal(of([7, 'abcd']), 'YWJjZA==');
  assert.equal(of(), '');
  const list = message([1, text('a"\n\u0001')], [1, minusSeven], [1, message()], [1, message(double(NaN))], [1, message([7, 'a'])]);
  assert.equal(of([5, list]), '["a\\"\\n\\u0001",-7,null,"NaN","YQ=="]');
  assert.equal(of([5, message([1, text('a')])], [5, message([1, text('b')])]), '["a","b"]');
  assert.equal(of([6, message([1, attribute('a', '1')], [1, attribute('b', '2')], [1, attribute('a', '3')])]), '{"b":"2","a":"3"}');
  let deep = text('x');
  for (let i = 0; i < 64; i++) deep = message([5, message([1, deep])]);
  assert.throws(() => new Value(deep, 0, deep.length).text(), /nested more than 64 deep/);
});

test('values are what JavaScript has', () => {
  const of = (...fields) => new Value(message(...fields), 0, message(...fields).length).get();
  assert.equal(of([1, 'grün']), 'grün');
  assert.equal(of(raw(0x18, 0x05)), 5);
  assert.equal(of(raw(0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)), -(2n ** 63n));
  assert.deepEqual(of([6, message([1, attribute('a', '1')])]), { a: '1' });
  assert.equal(of(), null);
});

test('spans go with their scopes and resources', () => {
  const time = (number, nanos) => raw(number * 8 + 1, ...new Uint8Array(BigUint64Array.of(nanos).buffer));
  const span = (name, took) => message([5, name], time(7, 2n ** 60n), time(8, 2n ** 60n + took), [9, attribute('a', 'b')]);
  const service = [[1, attribute('service.name', 'cart')]];
  const value = message(['raw', data(span('slow', 5_000_000n), service)], ['raw', data(span('fast', 1_000_000n), service)]);
  const slow = (span, resource) => {
    assert.equal(resource.attribute('service.name'), 'cart');
    assert.equal(span.attribute('a'), 'b');
    assert.equal(span.attribute('c'), undefined);
    assert.equal(span.endTimeUnixNano - span.startTimeUnixNano, BigInt(span.durationMs * 1e6));
    return span.durationMs > 2;
  };
  assert.deepEqual(keepSpans(value, slow), data(span('slow', 5_000_000n), service));
  assert.equal(keepSpans(value, () => true), value);
  assert.deepEqual(keepSpans(value, () => false), new Uint8Array());
  assert.throws(() => keepSpans(value, () => 1), /true or false/);
});

test('a resource attribute is set once, whatever was there', () => {
  const env = attribute('env', 'prod');
  const set = (value) => setResourceAttribute(value, 'env', 'prod');
  assert.deepEqual(set(data(message(), [[1, attribute('env', 'old')], [1, BEFORE[0]]])), data(message(), [[1, BEFORE[0]], [1, env]]));
  assert.deepEqual(set(message([1, message([2, message()])])), message([1, message([1, message([1, env])], [2, message()])]));
  const empty = new Uint8Array();
  assert.equal(set(empty), empty);
});

test('digests, texts and their repair are right', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
    assert.equal(hex(sha256(bytes)), createHash('sha256').update(bytes).digest('hex'), `${length} bytes`);
  }
  const decoder = new TextDecoder();
  for (const bytes of [[0x67, 0xc3, 0xbc], [0xff, 0x41], [0xe2, 0x82], [0xf0, 0x9f, 0x98, 0x80], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf0, 0x80, 0x41]]) {
    assert.equal(decode(Uint8Array.from(bytes)), decoder.decode(Uint8Array.from(bytes)), bytes.join());
  }
  assert.deepEqual([...encode('g\u00fc\ud83d\ude00\ud800')], [...new TextEncoder().encode('g\u00fc\ud83d\ude00\ud800')]);
});
