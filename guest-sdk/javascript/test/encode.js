// OTLP protobuf for tests, field by field.

import { encode } from '../text.js';
import { Pieces } from '../wire.js';

/** A message of fields [number, value]: bytes, text, or a message; `raw` puts bytes in as they are. */
export function message(...fields) {
  const out = new Pieces();
  for (const [number, value] of fields) {
    if (number === 'raw') out.push(Uint8Array.from(value));
    else out.field(number, typeof value === 'string' ? encode(value) : value);
  }
  return out.bytes();
}

export const raw = (...bytes) => ['raw', bytes];
export const text = (value) => message([1, value]);
/** An attribute; `value` is a text or an AnyValue. */
export const attribute = (key, value) => message([1, key], [2, typeof value === 'string' ? text(value) : value]);
export const minusSeven = message(raw(0x18, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01));
export const data = (item, resource = []) => message([1, message([1, message(...resource)], [2, message([2, item])])]);
