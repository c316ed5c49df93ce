import assert from 'node:assert/strict';
import test from 'node:test';
import { replaceWhatIsAbsent } from '../absent.js';

test('the time is not to be had, but dates are, and console is the log', () => {
  const [date, performance, console] = [globalThis.Date, globalThis.performance, globalThis.console];
  const lines = [];
  const write = (line) => lines.push(line);
  replaceWhatIsAbsent({ error: write, warn: write, info: write, debug: write });
  try {
    for (const ask of [() => new Date(), () => Date(), () => Date.now(), () => globalThis.performance.now()]) {
      assert.throws(ask, /a plugin has no clock/);
    }
    assert.equal(new Date(0).toISOString(), '1970-01-01T00:00:00.000Z');
    assert.ok(new Date(0) instanceof Date);
    assert.equal(Date.UTC(1970, 0, 2), 86_400_000);
    globalThis.console.log('a', { b: 1 }, undefined);
  } finally {
    [globalThis.Date, globalThis.performance, globalThis.console] = [date, performance, console];
    date.prototype.constructor = date;
  }
  assert.deepEqual(lines, ['a {"b":1} undefined']);
});
