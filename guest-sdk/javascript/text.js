// Text and bytes. The runtime has neither TextEncoder nor TextDecoder, nor a digest.

/** The UTF-8 of a text. */
export function encode(text) {
  if (/[^\0-\x7f]/.test(text)) text = unescape(encodeURIComponent(text.toWellFormed()));
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The text of UTF-8 in v[from, to); what is none becomes U+FFFD. */
export function decode(v, from = 0, to = v.length) {
  let text = '';
  // Few enough to be arguments of one call.
  for (let at = from; at < to; at += 4096) {
    text += String.fromCharCode.apply(null, v.subarray(at, Math.min(to, at + 4096)));
  }
  if (!/[\x80-\xff]/.test(text)) return text;
  try {
    return decodeURIComponent(escape(text));
  } catch {
    return repaired(v, from, to);
  }
}

function repaired(v, at, to) {
  let text = '';
  while (at < to) {
    const byte = v[at];
    const more = byte < 0x80 ? 0 : byte >= 0xc2 && byte < 0xe0 ? 1 : byte >= 0xe0 && byte < 0xf0 ? 2 : byte >= 0xf0 && byte < 0xf5 ? 3 : -1;
    let point = more < 0 ? 0xfffd : more === 0 ? byte : byte & (0x3f >> more), n = 1;
    for (; n <= more; n++) {
      const next = at + n < to ? v[at + n] : 0;
      const low = n === 1 && byte === 0xe0 ? 0xa0 : n === 1 && byte === 0xf0 ? 0x90 : 0x80;
      const high = n === 1 && byte === 0xed ? 0x9f : n === 1 && byte === 0xf4 ? 0x8f : 0xbf;
      if (next < low || next > high) {
        point = 0xfffd;
        break;
      }
      point = (point << 6) | (next & 0x3f);
    }
    text += String.fromCodePoint(point);
    at += n;
  }
  return text;
}

/** Bytes in hex. */
export function hex(bytes) {
  let text = '';
  for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16);
  return text;
}

/** Whether v[from, to) is these bytes. The last byte is looked at first: names often begin alike. */
export function same(v, from, to, bytes) {
  if (to - from !== bytes.length) return false;
  for (let i = bytes.length; i-- > 0;) if (v[from + i] !== bytes[i]) return false;
  return true;
}

/** A set of names that bytes are looked up in without being decoded. */
export class Names {
  constructor(names) {
    this.byLength = [];
    for (const name of names) {
      const bytes = encode(name);
      (this.byLength[bytes.length] ??= []).push({ name, bytes });
    }
  }

  /** The name that v[from, to) is; undefined where it is none of them. */
  find(v, from, to) {
    const names = this.byLength[to - from];
    if (names === undefined) return undefined;
    for (const { name, bytes } of names) if (same(v, from, to, bytes)) return name;
    return undefined;
  }
}

const ROUNDS = primes(64).map((prime) => fraction(Math.cbrt(prime)));
const START = primes(8).map((prime) => fraction(Math.sqrt(prime)));

function primes(count) {
  const found = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}

function fraction(root) {
  return ((root - Math.floor(root)) * 0x100000000) | 0;
}

/** The sha256 of bytes (FIPS 180-4). */
export function sha256(bytes) {
  const padded = new Uint8Array((((bytes.length + 8) >> 6) + 1) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const hash = START.slice(), w = new Array(64).fill(0), k = ROUNDS;
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      w[i] = (w[i - 16] + w[i - 7] + ((x >>> 7 ^ x << 25) ^ (x >>> 18 ^ x << 14) ^ x >>> 3)
        + ((y >>> 17 ^ y << 15) ^ (y >>> 19 ^ y << 13) ^ y >>> 10)) | 0;
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const one = h + k[i] + w[i] + (g ^ e & (f ^ g)) + ((e >>> 6 ^ e << 26) ^ (e >>> 11 ^ e << 21) ^ (e >>> 25 ^ e << 7));
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      // Of the three before this round, b, c and d now, two decide.
      a = (one + (b & c | d & (b | c)) + ((a >>> 2 ^ a << 30) ^ (a >>> 13 ^ a << 19) ^ (a >>> 22 ^ a << 10))) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => { hash[i] = (hash[i] + value) | 0; });
  }
  const digest = new DataView(new ArrayBuffer(32));
  hash.forEach((value, i) => digest.setInt32(4 * i, value));
  return new Uint8Array(digest.buffer);
}
