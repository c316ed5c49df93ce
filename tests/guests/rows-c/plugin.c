// Reads and makes a column of each kind: what the SDK for C can do with rows. ../rows-go is the same.
#include "weir.h"

static weir_table *spans;
static weir_place name, service, parent, duration_ms, timestamp, status_code;
static weir_column *is_slow, *seconds, *half_ms, *label;
static weir_bytes refuse;

static bool configure(weir_settings *settings, weir_plan *plan, weir_text *why) {
  if (!weir_setting_text(settings, "refuse", &refuse, why) || !weir_find_table(plan, "spans", &spans, why)) return false;
  if (!weir_drop_column(spans, "events", why) || !weir_rename_column(spans, "operation_name", "name", why)) return false;
  is_slow = weir_add_bools(spans, "is_slow", "Whether it took a second or more.");
  seconds = weir_add_ints(spans, "seconds", "When it began, since 1970.");
  half_ms = weir_add_floats(spans, "half_ms", "Half of what it took; none of what was at once.");
  // Takes the place of the column of this name.
  label = weir_add_texts(spans, "status_message", "Service and status; none where that is 0.");
  return weir_read_texts(plan, "spans", "operation_name", &name, why) &&
         weir_read_texts(plan, "spans", "service_name", &service, why) &&
         weir_read_texts(plan, "spans", "parent_span_id", &parent, why) &&
         weir_read_floats(plan, "spans", "duration_ms", &duration_ms, why) &&
         weir_read_ints(plan, "spans", "timestamp", &timestamp, why) &&
         weir_read_ints(plan, "spans", "status_code", &status_code, why);
}

static bool transform(const weir_rows *rows, weir_choice *choice, weir_text *why) {
  weir_filter(choice, spans);
  for (size_t row = 0; row < weir_row_count(rows, spans); row++) {
    weir_bytes text, of_service;
    double ms;
    int64_t us, status;
    if (weir_get_text(rows, parent, row, &text)) return weir_fail(why, "no span of the sample has a parent");
    if (!weir_get_text(rows, name, row, &text) || !weir_get_text(rows, service, row, &of_service)) continue;
    if (weir_same(text, refuse)) weir_refuse(choice, spans, row, "its name is not liked");
    if (!weir_get_float(rows, duration_ms, row, &ms) || !weir_get_int(rows, timestamp, row, &us)) continue;
    weir_keep(choice, spans, row);
    weir_push_bool(is_slow, ms >= 1000);
    weir_push_int(seconds, us / 1000000);
    if (ms >= 1) weir_push_float(half_ms, ms / 2);
    else weir_push_null(half_ms);
    if (weir_get_int(rows, status_code, row, &status) && status != 0) {
      weir_text made = {0};
      weir_put(&made, of_service.at, of_service.length);
      weir_puts(&made, status == 2 ? " failed" : " went well");
      weir_push_text(label, weir_bytes_of(&made));
    } else weir_push_null(label);
  }
  return true;
}

WEIR_ARROW_TO_ARROW(configure, transform)
