import assert from 'node:assert/strict';
import test from 'node:test';
import { column } from '../column.js';
import { deriver, refuse, rewriter } from '../guest.js';
import { Malformed } from '../wire.js';

const setting = (key, ...values) => ({ key, values });
const batch = (...values) => ({ signal: 'traces', topic: 't', partition: 0, messages: values.map((value, i) => ({ value: Uint8Array.from(value), offset: 40 + i })) });

test('settings are read by kind, and the unknown are refused', () => {
  let read;
  const plugin = rewriter(class {
    constructor(settings) { read = [settings.list('hash'), settings.number('n', 5), settings.flag('f'), settings.text('t')]; }
    transform(message) { return message.value; }
  }, () => {});
  plugin.configure([setting('hash', 'a', 'b'), setting('n', '1_000'), setting('f', 'true')]);
  assert.deepEqual(read, [['a', 'b'], 1000, true, undefined]);
  assert.throws(() => plugin.configure([setting('hush', 'a')]), { message: 'unknown setting `hush`; did you mean `hash`? (there are: f, hash, n, t)' });
  assert.throws(() => plugin.configure([setting('n', 'many')]), { message: 'setting `n` is a number, not `many`' });
  assert.throws(() => plugin.configure([setting('t', 'a', 'b')]), { message: 'setting `t` takes one value, not an array of 2' });
});

test('a refused record counts nothing, and its neighbours go on', () => {
  const counted = {};
  const plugin = rewriter(class {
    transform(message, context) {
      context.count('seen');
      if (message.value[0] === 1) refuse('one');
      if (message.value[0] === 2) throw new Malformed('it ends', 0, 1);
      return message.value[0] === 3 ? Uint8Array.of(9) : message.value;
    }
  }, (counter, amount) => { counted[counter] = amount; });
  plugin.configure([]);
  assert.deepEqual(plugin.transform(batch([0], [1], [2], [3])), [
    { tag: 'unchanged' }, { tag: 'rejected', val: 'one' }, { tag: 'rejected', val: 'not OTLP protobuf: it ends at byte 0 of 1' },
    { tag: 'changed', val: Uint8Array.of(9) },
  ]);
  assert.deepEqual(counted, { seen: 2 });
});

test('a mistake is told with function, record and place', () => {
  const run = (transform) => {
    const plugin = rewriter(class { transform(message) { return transform(message); } }, () => {});
    plugin.configure([]);
    return plugin.transform(batch([0], [1]));
  };
  assert.throws(() => run(() => null.x), /^Error: transform, record 1 of 2 \(offset 40\): TypeError: .*; at .*guest\.test\.js/);
  assert.throws(() => run(() => {}), /record 1 of 2 .*gives the record's value, changed or not, and it gave undefined/);
  assert.throws(() => run(() => { throw 'a text'; }), /it threw a text/);
  const broken = rewriter(class { constructor() { null.x; } }, () => {});
  assert.throws(() => broken.configure([]), /^Error: configure: TypeError: .*; at .*guest\.test\.js/);
  assert.throws(() => rewriter(class {}, () => {}).configure([]), /has no method transform/);
});

const field = (name, type, children = 0) => ({ name, type, nullable: true, doc: '', children });
const TABLES = [{
  name: 'spans', doc: '',
  fields: [field('tags', 'map', 1), field('entry', 'struct', 2), field('key', 'utf8'), field('value', 'utf8'),
    field('kind', 'dictionary', 1), field('values', 'utf8'), field('at', 'timestamp-utc'), field('ms', 'float64'), field('name', 'utf8')],
}];
const bytes = (array) => new Uint8Array(array.buffer);
const utf8 = (...texts) => [new Uint8Array(), bytes(Int32Array.from([0, ...texts.map((_, i) => texts.slice(0, i + 1).join('').length)])), Uint8Array.from(texts.join(''), (c) => c.charCodeAt(0))];
// kind, at and ms of four rows; the second has no kind, the last no duration.
const ROWS = {
  rows: 4, nodes: [],
  buffers: [
    Uint8Array.of(0b1101), bytes(Int32Array.of(1, 0, 0, 1)), ...utf8('CLIENT', 'SERVER'),
    new Uint8Array(), bytes(BigInt64Array.of(1n, -1n, 2n ** 53n + 1n, 1_700_000_000_000_000n)),
    Uint8Array.of(0b0111), bytes(Float64Array.of(1.5, 2, 3, 4)),
  ],
};

test('columns are read, rows chosen, columns made', () => {
  let read;
  const plugin = deriver(class {
    constructor(_, plan) {
      [this.ms, this.kind, this.at] = [plan.floats('spans', 'ms'), plan.texts('spans', 'kind'), plan.ints('spans', 'at')];
      const spans = plan.table('spans').without('name').rename('at', 'time');
      this.slow = spans.add('slow', column.boolean('Slow.'));
      this.copy = spans.add('kind', column.dictionary());
    }
    transform(choice) {
      read = [0, 1, 2, 3].map((row) => [this.kind.get(row), this.at.get(row), this.at.big(row), this.ms.get(row)]);
      choice.keep('spans', (row) => row !== 2);
      for (const row of choice.rows('spans')) {
        this.slow.push(this.ms.get(row) === null ? null : this.ms.get(row) > 1.7);
        this.copy.push(this.kind.get(row));
      }
      choice.refuse('spans', 3, 'three');
    }
  }, () => {});
  assert.deepEqual(plugin.configure([], TABLES), {
    reads: [[1, 2, 3]],
    tables: [{
      name: 'spans', doc: '', source: 0,
      columns: [
        { tag: 'kept', val: 0 }, { tag: 'renamed', val: { column: 2, name: 'time' } }, { tag: 'kept', val: 3 },
        { tag: 'made', val: [{ name: 'slow', type: 'boolean', nullable: true, doc: 'Slow.', children: 0 }] },
        { tag: 'made', val: [{ name: 'kind', type: 'dictionary', nullable: true, doc: '', children: 1 }, { name: 'values', type: 'utf8', nullable: false, doc: '', children: 0 }] },
      ],
    }],
  });
  const output = plugin.transform([ROWS]);
  assert.deepEqual(read, [['SERVER', 1, 1n, 1.5], [null, -1, -1n, 2], ['CLIENT', 2 ** 53, 2n ** 53n + 1n, 3], ['SERVER', 1.7e15, 1_700_000_000_000_000n, null]]);
  assert.deepEqual(output.refused, [{ table: 0, row: 3, reason: 'three' }]);
  assert.deepEqual(output.tables[0].selection, { tag: 'rows', val: [0, 1, 3] });
  assert.deepEqual(output.tables[0].made, {
    rows: 3, nodes: [{ length: 3, nullCount: 1 }, { length: 3, nullCount: 1 }, { length: 1, nullCount: 0 }],
    buffers: [Uint8Array.of(0b011), Uint8Array.of(0b010), Uint8Array.of(0b101), bytes(Int32Array.of(0, 0, 0)), ...utf8('SERVER')],
  });
});

test('each kind of column is laid out as Arrow has it, and takes nothing else', () => {
  const made = (column, ...values) => {
    const buffers = [];
    column.name = 'c';
    values.forEach((value) => column.push(value));
    column.take([], buffers);
    return buffers.slice(1);
  };
  assert.deepEqual(made(column.int64(), -1, 2n ** 63n - 1n, -(2n ** 40n), null, -(2 ** 40)), [bytes(BigInt64Array.of(-1n, 2n ** 63n - 1n, -(2n ** 40n), 0n, -(2n ** 40n)))]);
  assert.deepEqual(made(column.float32(), 1.5), [bytes(Float32Array.of(1.5))]);
  assert.deepEqual(made(column.text(), 'a', null, Uint8Array.of(98)), [bytes(Int32Array.of(0, 1, 1, 2)), Uint8Array.of(97, 98)]);
  assert.throws(() => made(column.int32(), 1.5), { message: 'column `c` takes whole numbers of 32 bits, not number 1.5 (value 0)' });
  assert.throws(() => made(column.boolean(), 'x'), { message: 'column `c` takes true or false, not "x" (value 0)' });
  assert.throws(() => made(column.int64(), 2 ** 60), /BigInts/);
  assert.throws(() => made(column.bytes(), 'x'), /a Uint8Array/);
});

test('what does not fit the tables is told', () => {
  const plan = (use) => () => deriver(class { constructor(_, plan) { use(plan); } transform() {} }, () => {}).configure([], TABLES);
  assert.throws(plan((plan) => plan.texts('spans', 'color')), { message: 'there is no column in table `spans`, named `color` (there are: tags, kind, at, ms, name)' });
  assert.throws(plan((plan) => plan.floats('spans', 'kind')), { message: 'it needs a column of floating-point numbers, and `kind` of table `spans` is dictionary' });
  assert.throws(plan((plan) => plan.table('logs')), { message: 'there is no table `logs` (there are: spans)' });
  const short = deriver(class {
    constructor(_, plan) { this.slow = plan.table('spans').add('slow', column.boolean()); }
    transform() { this.slow.push(true); }
  }, () => {});
  short.configure([], TABLES);
  const rows = { rows: 4, nodes: [], buffers: [] };
  for (let i = 0; i < 2; i++) assert.throws(() => short.transform([rows]), /transform of 4 rows: Error: column `spans.slow` has 1 values, not 4/);
});
