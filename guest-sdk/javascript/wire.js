// Protobuf's wire format, read and changed where it lies. Nothing is copied but what changes.

/** A message that is not what it should be, and where. The record that holds it is refused. */
export class Malformed extends Error {
  constructor(fault, at, length) {
    super(`not OTLP protobuf: ${fault} at byte ${at} of ${length}`);
    this.name = 'Malformed';
  }
}

/** What `next` found: the field's number and wire type, and the bytes that its value lies in. */
export let number = 0, type = 0, from = 0, to = 0;

/**
 * Reads the field of `v` that begins at `at`, and says where the next one begins. `at` is less than `end`.
 * Reading past the end gives undefined, so that one look at the end of each field is enough.
 */
export function next(v, at, end) {
  let p = at + 1, tag = v[at];
  if (tag > 0x7f) {
    tag = varint(v, at);
    p = to;
  }
  if (!(tag >= 8 && tag < 0x100000000)) fault(v, at, end);
  number = tag >>> 3;
  type = tag & 7;
  let n = 0;
  switch (type) {
    case 2:
      n = v[p++];
      if (n > 0x7f) {
        n = varint(v, p - 1);
        p = to;
      }
      break;
    case 0:
      while (v[p + n] > 0x7f) n++;
      n++;
      if (n > 10 || (n === 10 && v[p + 9] > 1)) fault(v, at, end);
      break;
    case 1: n = 8; break;
    case 5: n = 4; break;
    case 3: n = group(v, p, end, [number]) - p; number = tag >>> 3; type = 3; break;
    default: fault(v, at, end);
  }
  from = p;
  to = p + n;
  if (!(to <= end)) fault(v, at, end);
  return to;
}

/** The varint at `at`, as far as a double holds it; `to` is behind it. NaN where it is none. */
export function varint(v, at) {
  let value = 0, scale = 1;
  for (let p = at; p < at + 10; p++) {
    const byte = v[p];
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte < 0x80) {
      to = p + 1;
      return value;
    }
  }
  to = NaN;
  return NaN;
}

/** The end of a group, and of the groups within. */
function group(v, at, end, open) {
  while (open.length > 0) {
    if (at >= end) throw new Malformed(TRUNCATED, end, v.length);
    let tag = v[at], p = at + 1;
    if (tag > 0x7f) {
      tag = varint(v, at);
      p = to;
    }
    if ((tag & 7) === 4 && tag >= 8) {
      if (open.pop() !== tag >>> 3) throw new Malformed(GROUP, p, v.length);
      at = p;
    } else if ((tag & 7) === 3 && tag >= 8) {
      if (open.length === 16) throw new Malformed(GROUP, p, v.length);
      open.push(tag >>> 3);
      at = p;
    } else {
      at = next(v, at, end);
    }
  }
  return at;
}

const TRUNCATED = 'the message ends within a field';
const GROUP = 'a group ends that did not begin, or lies too deep';

/** Reads a field that cannot be read once more, with care, to say what is wrong with it. */
function fault(v, at, end) {
  const careful = (p) => {
    for (let n = 0; n < 10; n++) {
      if (p + n >= end) throw new Malformed(TRUNCATED, p, v.length);
      if (v[p + n] < 0x80 && !(n === 9 && v[p + n] > 1)) return p + n + 1;
    }
    throw new Malformed('a varint is longer than 64 bits', p, v.length);
  };
  const p = careful(at), tag = varint(v, at);
  if (!(tag >= 8 && tag < 0x100000000)) throw new Malformed('a field number is 0 or too large', at, v.length);
  switch (tag & 7) {
    case 0: careful(p); break;
    case 2: throw new Malformed(TRUNCATED, careful(p), v.length);
    case 4: throw new Malformed(GROUP, p, v.length);
    case 6: case 7: throw new Malformed('there is no such wire type', p, v.length);
  }
  throw new Malformed(TRUNCATED, p, v.length);
}

/** Refuses a field of another wire type than its definition; it ended at `at`. */
export function mismatch(v, at) {
  throw new Malformed('a field has the wrong wire type', at, v.length);
}

/** Bytes in pieces, put together once. */
export class Pieces {
  constructor() {
    this.pieces = [];
    this.length = 0;
  }

  /** Appends bytes, or pieces. */
  push(bytes) {
    this.pieces.push(bytes);
    this.length += bytes.length;
  }

  /** Appends a field of bytes: tag, length, and `inner`, bytes or pieces. */
  field(number, inner) {
    this.push(head(number * 8 + 2, inner.length));
    this.push(inner);
    return this;
  }

  bytes() {
    const bytes = new Uint8Array(this.length);
    this.#write(bytes, 0);
    return bytes;
  }

  #write(bytes, at) {
    for (const piece of this.pieces) {
      if (piece instanceof Pieces) piece.#write(bytes, at);
      else bytes.set(piece, at);
      at += piece.length;
    }
  }
}

/** The bytes v[from, to), not copied. (The method subarray asks for the array's species each time, which takes longer.) */
export function view(v, from, to) {
  return new Uint8Array(v.buffer, v.byteOffset + from, to - from);
}

/** A tag and a length. */
function head(tag, length) {
  if (tag <= 0x7f && length <= 0x7f) {
    const bytes = new Uint8Array(2);
    bytes[0] = tag;
    bytes[1] = length;
    return bytes;
  }
  const bytes = [];
  for (let value of [tag, length]) {
    for (; value > 0x7f; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
    bytes.push(value);
  }
  return new Uint8Array(bytes);
}

/** What `decide` says of a field that stays as it is, and of one that goes. */
export const KEEP = undefined, DROP = null;

/**
 * The message in v[at, end) with some of its fields replaced or dropped, as pieces; KEEP where each stays.
 * `decide(number, from, to, type)` says KEEP, DROP, or what takes the place of a field of bytes.
 */
export function edit(v, at, end, decide) {
  let out = KEEP, done = at;
  while (at < end) {
    const begin = at;
    at = next(v, at, end);
    const field = number;
    const replacement = decide(field, from, to, type);
    if (replacement === KEEP) continue;
    if (out === KEEP) out = new Pieces();
    if (begin > done) out.push(view(v, done, begin));
    if (replacement !== DROP) out.field(field, replacement);
    done = at;
  }
  if (out !== KEEP && end > done) out.push(view(v, done, end));
  return out;
}
