// The same rules for every plugin: settings that nobody asked for are refused, the grain of a refusal is the record, a
// refused record's counts are taken back, and whatever else is thrown says where.

import { Plan } from './plan.js';
import { Settings } from './settings.js';
import { Malformed } from './wire.js';

/** Thrown to refuse a record: it becomes one dead letter with this reason, its neighbours go on. */
export class Refusal extends Error {}

/** Refuses the record at hand. */
export function refuse(reason) {
  throw new Refusal(String(reason));
}

/** What was thrown, and where. */
export function explain(error) {
  if (!(error instanceof Error)) return `it threw ${typeof error === 'string' ? error : JSON.stringify(error)}`;
  const places = String(error.stack ?? '').split('\n').map((line) => line.trim().replace(/^at /, '')).filter((line) => line !== '');
  // Node's stack begins with the message.
  const at = places.filter((place) => /[(:]/.test(place) && !place.startsWith(error.name)).slice(0, 8);
  return `${error.name}: ${error.message}${at.length > 0 ? `; at ${at.join(' < ')}` : ''}`;
}

/** An error of `configure`: the plugin's own words where it threw a plain Error, else what went wrong and where. */
function configured(make) {
  try {
    return make();
  } catch (error) {
    throw error?.constructor === Error ? error : new Error(`configure: ${explain(error)}`);
  }
}

/** What a record counts, until it is known that it goes on. */
class Counts {
  constructor() {
    this.all = new Map();
    this.staged = new Map();
  }

  add(counter, amount) {
    if (!Number.isSafeInteger(amount) || amount < 0) throw new TypeError(`counter \`${counter}\` counts whole numbers, not ${amount}`);
    this.staged.set(counter, (this.staged.get(counter) ?? 0) + amount);
  }

  settle() {
    for (const [counter, amount] of this.staged) this.all.set(counter, (this.all.get(counter) ?? 0) + amount);
    this.staged.clear();
  }

  report(add) {
    for (const [counter, amount] of this.all) if (amount > 0) add(counter, amount);
  }
}

/** The exports of a plugin that turns OTLP into OTLP; `add` is the host's counter. */
export function rewriter(Plugin, add) {
  let plugin;
  return {
    configure(given) {
      configured(() => {
        const settings = new Settings(given);
        plugin = new Plugin(settings);
        if (typeof plugin.transform !== 'function') throw new Error('the plugin has no method transform');
        settings.refuseTheRest();
      });
    },

    transform(batch) {
      const { signal, topic, partition, messages } = batch;
      const counts = new Counts();
      const context = { signal, topic, partition, count: (counter, amount = 1) => counts.add(counter, amount) };
      const outcomes = messages.map((message, index) => {
        counts.staged.clear();
        try {
          const value = plugin.transform(message, context);
          if (!(value instanceof Uint8Array)) {
            throw new TypeError(`transform gives the record's value, changed or not, and it gave ${value === null ? 'null' : typeof value}`);
          }
          counts.settle();
          return value === message.value ? { tag: 'unchanged' } : { tag: 'changed', val: value };
        } catch (error) {
          if (error instanceof Refusal || error instanceof Malformed) return { tag: 'rejected', val: error.message };
          throw new Error(`transform, record ${index + 1} of ${messages.length} (offset ${message.offset}): ${explain(error)}`);
        }
      });
      counts.report(add);
      return outcomes;
    },
  };
}

/** Which rows stay, and which records are refused. */
class Choice {
  #given;
  #tables;
  #chosen;

  constructor(plan, batches, counts) {
    this.#given = plan;
    this.#tables = plan.tables;
    this.#chosen = new Map();
    this.batches = batches;
    this.counts = counts;
    this.refused = [];
  }

  #find(name) {
    const found = this.#tables.find((table) => table.name === name);
    if (found === undefined) throw new Error(`it chooses rows of \`${name}\`, which is no table of its plan`);
    return found;
  }

  /** Keeps those rows of a table that the plugin gives for which `keep(row)` says so. Rows are those of its source. */
  keep(table, keep) {
    const found = this.#find(table), rows = [];
    for (let row = 0; row < this.batches[found.source].rows; row++) if (keep(row)) rows.push(row);
    this.#chosen.set(found, rows);
  }

  /** The rows of its source that a table has as things stand. */
  rows(table) {
    const found = this.#find(table);
    return this.#chosen.get(found) ?? Array.from({ length: this.batches[found.source].rows }, (_, row) => row);
  }

  /** Refuses the Kafka record that a row of a given table came from: none of its rows reach a table. */
  refuse(table, row, reason) {
    this.refused.push({ table: this.#given.source(table), row, reason: String(reason) });
  }

  /** Adds to a counter. */
  count(counter, amount = 1) {
    this.counts.add(counter, amount);
  }

  /** What a table of the plan gets. */
  take(table) {
    const all = this.batches[table.source].rows, chosen = this.#chosen.get(table);
    const selected = chosen === undefined ? all : chosen.length;
    const nodes = [], buffers = [];
    for (const column of table.made) {
      if (column.length !== selected) {
        throw new Error(`column \`${table.name}.${column.name}\` has ${column.length} values, not ${selected}`);
      }
      column.take(nodes, buffers);
    }
    const selection = chosen === undefined || selected === all ? { tag: 'all' } : { tag: 'rows', val: chosen };
    return { selection, made: { rows: selected, nodes, buffers } };
  }
}

/** The exports of a plugin that turns rows into rows. */
export function deriver(Plugin, add) {
  let plugin, plan;
  return {
    configure(given, tables) {
      return configured(() => {
        const settings = new Settings(given);
        plan = new Plan(tables);
        plugin = new Plugin(settings, plan);
        if (typeof plugin.transform !== 'function') throw new Error('the plugin has no method transform');
        settings.refuseTheRest();
        return plan.lower();
      });
    },

    transform(batches) {
      const counts = new Counts();
      try {
        for (const table of plan.tables) table.made.forEach((column) => column.clear());
        plan.bind(batches);
        const choice = new Choice(plan, batches, counts);
        plugin.transform(choice);
        const tables = plan.tables.map((table) => choice.take(table));
        counts.settle();
        counts.report(add);
        return { tables, refused: choice.refused };
      } catch (error) {
        const rows = batches.map((batch) => batch.rows).join(' + ');
        throw new Error(`transform of ${rows} rows: ${explain(error)}`);
      }
    },
  };
}
