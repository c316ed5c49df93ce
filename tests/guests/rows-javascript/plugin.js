// Reads and makes a column of each kind: what the SDK for JavaScript can do with rows. ../rows-c is the same.

import * as weir from './.weir/weir.js';

const LABELS = ['', 'went well', 'failed'];

export const arrowToArrow = weir.arrowToArrow(class {
  constructor(settings, plan) {
    this.refuse = settings.text('refuse', '');
    const spans = plan.table('spans').without('events').rename('operation_name', 'name');
    this.isSlow = spans.add('is_slow', weir.column.boolean('Whether it took a second or more.'));
    this.seconds = spans.add('seconds', weir.column.int64('When it began, since 1970.'));
    this.halfMs = spans.add('half_ms', weir.column.float64('Half of what it took; none of what was at once.'));
    // Takes the place of the column of this name.
    this.label = spans.add('status_message', weir.column.text('Service and status; none where that is 0.'));
    this.name = plan.texts('spans', 'operation_name');
    this.service = plan.texts('spans', 'service_name');
    this.parent = plan.texts('spans', 'parent_span_id');
    this.durationMs = plan.floats('spans', 'duration_ms');
    this.timestamp = plan.ints('spans', 'timestamp');
    this.statusCode = plan.ints('spans', 'status_code');
  }

  transform(choice) {
    const { name, service, parent, durationMs, timestamp, statusCode } = this;
    choice.keep('spans', (row) => {
      if (name.get(row) === this.refuse) choice.refuse('spans', row, 'its name is not liked');
      return [name, timestamp, durationMs, service].every((column) => column.has(row));
    });
    for (const row of choice.rows('spans')) {
      if (parent.has(row)) throw new Error('no span of the sample has a parent');
      const ms = durationMs.get(row), status = statusCode.get(row);
      this.isSlow.push(ms >= 1000);
      this.seconds.push(Math.floor(timestamp.get(row) / 1_000_000));
      this.halfMs.push(ms >= 1 ? ms / 2 : null);
      this.label.push(status === 0 ? null : `${service.get(row)} ${LABELS[status]}`);
    }
  }
});
