// What a plugin has not got. Without these words a call would end in a trap that names nothing but the runtime's functions.

const NO_CLOCK = 'a plugin has no clock: the times are in the records, and a message\'s in its timestampMs';

function noClock() {
  throw new Error(NO_CLOCK);
}

const RealDate = Date;

/** Dates can be made of times, but of no present one. */
function OnlyGivenDate(...given) {
  if (given.length === 0 || new.target === undefined) noClock();
  return Reflect.construct(RealDate, given, new.target);
}
OnlyGivenDate.prototype = RealDate.prototype;
OnlyGivenDate.prototype.constructor = OnlyGivenDate;
OnlyGivenDate.parse = RealDate.parse;
OnlyGivenDate.UTC = RealDate.UTC;
OnlyGivenDate.now = noClock;

/** Says so where the time is asked for; `console` goes to Weir's log. */
export function replaceWhatIsAbsent(log) {
  globalThis.Date = OnlyGivenDate;
  globalThis.performance = { now: noClock };
  const line = (write) => (...words) => write(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word) ?? String(word))).join(' '));
  globalThis.console = { error: line(log.error), warn: line(log.warn), info: line(log.info), log: line(log.info), debug: line(log.debug) };
}
