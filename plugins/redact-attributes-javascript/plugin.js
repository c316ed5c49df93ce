// Removes or hashes attributes by name, before there are rows: `redact-attributes` in JavaScript. The same settings, the
// same rows.

import * as weir from './.weir/weir.js';

export const otlpToOtlp = weir.otlpToOtlp(class {
  constructor(settings) {
    const drop = settings.list('drop') ?? [], hash = settings.list('hash') ?? [];
    if (drop.length + hash.length === 0) {
      throw new Error('setting `drop` or `hash` says which attributes to redact; there is neither');
    }
    const both = drop.find((name) => hash.includes(name));
    if (both !== undefined) throw new Error(`\`${both}\` is both in \`drop\` and in \`hash\``);
    this.names = new weir.Names([...drop, ...hash]);
    this.drop = new Set(drop);
  }

  transform(message, context) {
    let dropped = 0, hashed = 0;
    const value = weir.editAttributes(context.signal, message.value, this.names, (attribute) => {
      if (this.drop.has(attribute.key)) {
        dropped++;
        return weir.DROP;
      }
      hashed++;
      return weir.hex(weir.sha256(attribute.text()));
    });
    context.count('attributes_dropped', dropped);
    context.count('attributes_hashed', hashed);
    return value;
  }
});
