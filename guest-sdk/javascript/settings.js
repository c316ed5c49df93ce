// What a pipeline's TOML says under a transform's `config`.

/** Reads settings by name and kind, and remembers which were asked for: those that nothing asked for are refused. */
export class Settings {
  #given;
  #asked = new Set();

  /** `given` is a list of { key, values }. */
  constructor(given) {
    this.#given = given;
  }

  /** All values of an array, or the one of a scalar, as texts; undefined where the key is missing. */
  list(key) {
    this.#asked.add(key);
    return this.#given.find((setting) => setting.key === key)?.values;
  }

  /** One value as it is written. */
  text(key, otherwise = undefined) {
    const values = this.list(key);
    if (values === undefined) return otherwise;
    if (values.length !== 1) throw new Error(`setting \`${key}\` takes one value, not an array of ${values.length}`);
    return values[0];
  }

  /** One value of true or false. */
  flag(key, otherwise = false) {
    const text = this.text(key);
    if (text === undefined) return otherwise;
    if (text !== 'true' && text !== 'false') throw new Error(`setting \`${key}\` is true or false, not \`${text}\``);
    return text === 'true';
  }

  /** One number. */
  number(key, otherwise = undefined) {
    const text = this.text(key);
    if (text === undefined) return otherwise;
    const value = Number(text.replaceAll('_', ''));
    if (text.trim() === '' || Number.isNaN(value)) throw new Error(`setting \`${key}\` is a number, not \`${text}\``);
    return value;
  }

  /** Refuses what nothing asked for, and says what was meant if that can be guessed. */
  refuseTheRest() {
    const seen = new Set();
    for (const { key } of this.#given) {
      if (seen.has(key)) throw new Error(`setting \`${key}\` is given twice`);
      seen.add(key);
      if (this.#asked.has(key)) continue;
      const known = [...this.#asked].sort();
      if (known.length === 0) throw new Error(`unknown setting \`${key}\`; this plugin has none`);
      const near = known.map((name) => [distance(name, key), name]).filter(([n, name]) => n <= Math.ceil(name.length / 3));
      const meant = near.length > 0 ? `; did you mean \`${near.sort((a, b) => a[0] - b[0])[0][1]}\`?` : '';
      throw new Error(`unknown setting \`${key}\`${meant} (there are: ${known.join(', ')})`);
    }
  }
}

/** How many letters to insert, delete or change (Levenshtein). */
function distance(a, b) {
  const row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    let diagonal = row[0];
    row[0] = i + 1;
    for (let j = 0; j < b.length; j++) {
      const change = diagonal + (a[i] === b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = Math.min(change, diagonal + 1, row[j] + 1);
    }
  }
  return row[b.length];
}
