// What a plugin in JavaScript needs. A plugin is a module that exports `otlpToOtlp` or `arrowToArrow`:
//
//   import * as weir from './.weir/weir.js';
//
//   export const otlpToOtlp = weir.otlpToOtlp(class {
//     constructor(settings) { this.key = settings.text('key', 'user.email'); }
//     transform(message, context) {
//       const names = new weir.Names([this.key]);
//       return weir.editAttributes(context.signal, message.value, names, () => weir.DROP);
//     }
//   });

import hostCounters from 'weir:plugin/counters@0.1.0';
import hostLog from 'weir:plugin/log@0.1.0';
import { replaceWhatIsAbsent } from './absent.js';
import { deriver, rewriter } from './guest.js';

export { column } from './column.js';
export { refuse, Refusal } from './guest.js';
export {
  DROP, editAttributes, KEEP, keepLogRecords, keepMetrics, keepSpans, setResourceAttribute,
} from './otlp.js';
export { decode, encode, hex, Names, sha256 } from './text.js';
export { Malformed } from './wire.js';

/**
 * A plugin that turns OTLP into OTLP. The class has `constructor(settings)`, which throws an Error where they are wrong,
 * and `transform(message, context)`, which gives the record's value: the very `message.value` where it stays as it is, or
 * other bytes. `refuse(reason)` makes a dead letter of the record; whatever else is thrown ends the call.
 * `context` has `signal`, `topic`, `partition`, and `count(counter, amount)`, which is taken back for a refused record.
 */
export function otlpToOtlp(Plugin) {
  return rewriter(Plugin, (counter, amount) => hostCounters.add(counter, amount));
}

/**
 * A plugin that turns rows into rows. The class has `constructor(settings, plan)`, which says in `plan` what it reads and
 * gives, and `transform(choice)`, which chooses rows and pushes to each column that it makes a value for each row that
 * stays. Without a word all rows stay.
 */
export function arrowToArrow(Plugin) {
  return deriver(Plugin, (counter, amount) => hostCounters.add(counter, amount));
}

/** A voice in Weir's own log. Lines beyond 4 KiB are cut, lines beyond 100 a call are dropped. */
export const log = {
  /** Something is lost or wrong. */
  error: (message) => hostLog.write('error', String(message)),
  /** Something looks wrong. */
  warn: (message) => hostLog.write('warn', String(message)),
  /** A person may care. */
  info: (message) => hostLog.write('info', String(message)),
  /** For whoever writes the plugin. */
  debug: (message) => hostLog.write('debug', String(message)),
};

replaceWhatIsAbsent(log);
