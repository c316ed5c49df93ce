// Reads and edits OTLP protobuf where it lies: what does not change is copied as it is, unknown fields too, and a message
// in which nothing changes is not copied at all.
#include "weir.h"

#include <string.h>

static const char TRUNCATED[] = "not OTLP protobuf: the message ends within a field";
static const char LONG_VARINT[] = "not OTLP protobuf: a varint is longer than 64 bits";
static const char FIELD_NUMBER[] = "not OTLP protobuf: a field's number is 0 or too large";
static const char WIRE_TYPE[] = "not OTLP protobuf: a field has an unknown wire type";
static const char MISMATCH[] = "not OTLP protobuf: a field has another wire type than its definition";
static const char GROUP[] = "not OTLP protobuf: a group ends that did not begin, or lies too deep";

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP_BEGIN = 3, GROUP_END = 4, FIXED32 = 5 };
// Groups may lie in each other; deeper than this they are refused.
enum { GROUP_DEPTH_MAX = 16 };

// ---- The wire

weir_fields weir_read(weir_bytes message) {
  return (weir_fields){.from = message.at, .at = message.at, .end = message.at + message.length};
}

static uint64_t fault(weir_fields *fields, const char *what) {
  if (fields->fault == NULL) fields->fault = what;
  fields->at = fields->end;
  return 0;
}

static uint64_t long_varint(weir_fields *fields) {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (fields->at == fields->end) return fault(fields, TRUNCATED);
    uint8_t byte = *fields->at++;
    if (shift == 63 && byte > 1) break;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return fault(fields, LONG_VARINT);
}

// Most have one byte.
static inline uint64_t varint(weir_fields *fields) {
  return fields->at < fields->end && *fields->at < 0x80 ? *fields->at++ : long_varint(fields);
}

static weir_bytes take(weir_fields *fields, uint64_t length) {
  if (fields->fault || length > (uint64_t)(fields->end - fields->at)) {
    fault(fields, TRUNCATED);
    return (weir_bytes){NULL, 0};
  }
  weir_bytes taken = {fields->at, (size_t)length};
  fields->at += length;
  return taken;
}

// Little-endian, as wasm is.
static uint64_t fixed(weir_fields *fields, size_t size) {
  weir_bytes bytes = take(fields, size);
  uint64_t value = 0;
  if (bytes.length) memcpy(&value, bytes.at, size);
  return value;
}

static uint64_t tag(weir_fields *fields) {
  uint64_t value = varint(fields);
  if (fields->fault == NULL && (value < 8 || value > UINT32_MAX)) return fault(fields, FIELD_NUMBER);
  return value;
}

// Skips a group to its end, and the groups within.
static void skip_group(weir_fields *fields, uint32_t number) {
  uint32_t open[GROUP_DEPTH_MAX];
  size_t depth = 0;
  open[depth++] = number;
  while (depth > 0 && fields->fault == NULL) {
    uint64_t next = tag(fields);
    switch (next & 7) {
      case VARINT: varint(fields); break;
      case FIXED64: take(fields, 8); break;
      case BYTES: take(fields, varint(fields)); break;
      case FIXED32: take(fields, 4); break;
      case GROUP_BEGIN:
        if (depth == GROUP_DEPTH_MAX) fault(fields, GROUP);
        else open[depth++] = (uint32_t)(next >> 3);
        break;
      case GROUP_END:
        if (open[--depth] != next >> 3) fault(fields, GROUP);
        break;
      default: fault(fields, WIRE_TYPE);
    }
  }
}

bool weir_next(weir_fields *fields) {
  if (fields->fault || fields->at == fields->end) return false;
  fields->from = fields->at;
  uint64_t next = tag(fields);
  if (fields->fault) return false;
  fields->number = (uint32_t)(next >> 3);
  fields->wire = next & 7;
  fields->bytes = (weir_bytes){NULL, 0};
  switch (fields->wire) {
    case VARINT: fields->value = varint(fields); break;
    case FIXED64: fields->value = fixed(fields, 8); break;
    case BYTES: fields->bytes = take(fields, varint(fields)); break;
    case FIXED32: fields->value = fixed(fields, 4); break;
    case GROUP_BEGIN: skip_group(fields, fields->number); break;
    case GROUP_END: fault(fields, GROUP); break;
    default: fault(fields, WIRE_TYPE);
  }
  return fields->fault == NULL;
}

static void put_varint(weir_text *text, uint64_t value) {
  for (; value >= 0x80; value >>= 7) weir_put(text, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
  weir_put(text, &(uint8_t){(uint8_t)value}, 1);
}

void weir_put_field(weir_text *text, uint32_t number, weir_bytes bytes) {
  put_varint(text, (uint64_t)number << 3 | BYTES);
  put_varint(text, bytes.length);
  weir_put(text, bytes.at, bytes.length);
}

// ---- Parts of messages

bool weir_number_of(weir_bytes message, uint32_t number, uint64_t *value, weir_text *why) {
  weir_fields fields = weir_read(message);
  *value = 0;
  while (weir_next(&fields)) {
    if (fields.number != number) continue;
    if (fields.wire != VARINT && fields.wire != FIXED64) return weir_fail(why, MISMATCH);
    *value = fields.value;
  }
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

bool weir_part_of(weir_bytes message, uint32_t number, weir_bytes *part, weir_text *why) {
  weir_fields fields = weir_read(message);
  *part = (weir_bytes){NULL, 0};
  while (weir_next(&fields)) {
    if (fields.number != number) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    *part = fields.bytes;
  }
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

bool weir_read_attribute(weir_bytes message, weir_attribute *attribute, weir_text *why) {
  // What nearly every attribute is: a short key, then a short value, and nothing else.
  const uint8_t *at = message.at;
  if (message.length > 3 && at[0] == (1 << 3 | BYTES) && at[1] < 0x80) {
    size_t value = 2 + at[1];
    if (message.length > value + 1 && at[value] == (2 << 3 | BYTES) && at[value + 1] < 0x80 &&
        message.length == value + 2 + at[value + 1]) {
      *attribute = (weir_attribute){{at + 2, at[1]}, {at + value + 2, at[value + 1]}};
      return true;
    }
  }
  weir_fields fields = weir_read(message);
  *attribute = (weir_attribute){{NULL, 0}, {NULL, 0}};
  while (weir_next(&fields)) {
    if (fields.number != 1 && fields.number != 2) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    if (fields.number == 1) attribute->key = fields.bytes;
    // A value in pieces is what they are one after the other.
    else attribute->value = weir_join(attribute->value, fields.bytes);
  }
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

bool weir_find(weir_bytes message, uint32_t number, const char *key, weir_value *value, bool *found, weir_text *why) {
  weir_fields fields = weir_read(message);
  *found = false;
  while (weir_next(&fields)) {
    if (fields.number != number) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    weir_attribute attribute;
    if (!weir_read_attribute(fields.bytes, &attribute, why)) return false;
    if (!weir_is(attribute.key, key)) continue;
    if (!weir_read_value(attribute.value, value, why)) return false;
    *found = true;
  }
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

// ---- Editing

// A message of which fields are replaced or dropped: how much of it is in `out`, or has been left out.
typedef struct {
  weir_bytes message;
  weir_text out;
  const uint8_t *done;
} edit;

static edit edit_of(weir_bytes message) { return (edit){message, {0}, message.at}; }

// The field at hand goes; what is put into `out` next takes its place.
static void leave_out(edit *edit, const weir_fields *fields) {
  if (edit->out.room == 0) {
    edit->out.at = weir_alloc(edit->message.length + 64);
    edit->out.room = edit->message.length + 64;
  }
  weir_put(&edit->out, edit->done, fields->from - edit->done);
  edit->done = fields->at;
}

static weir_bytes end_edit(edit *edit) {
  if (edit->out.room == 0) return edit->message;
  weir_put(&edit->out, edit->done, edit->message.at + edit->message.length - edit->done);
  return weir_bytes_of(&edit->out);
}

static bool is_same(weir_bytes one, weir_bytes other) { return one.length == other.length && one.at == other.at; }

// The messages on the way to attributes.
typedef enum {
  DATA,
  RESOURCE_ITEMS,
  SCOPE_ITEMS,
  NUMBER_POINTS,
  HISTOGRAM_POINTS,
  EXPONENTIAL_POINTS,
  SUMMARY_POINTS,
  NUMBER_POINT,
  HISTOGRAM_POINT,
  EXPONENTIAL_POINT,
  SUMMARY_POINT,
  AT, // whatever has attributes: this and a level
  NOWHERE = 255,
} kind;

// A field that leads to attributes, to a message of a kind; or is one, of a level.
typedef struct {
  bool is_attribute;
  uint8_t to;
} part;

// The number of the attributes' field, by level; that of points goes by their kind.
static const uint8_t ATTRIBUTES[] = {
    [WEIR_RESOURCE] = 1, [WEIR_SCOPE] = 3,  [WEIR_SPAN] = 9,  [WEIR_EVENT] = 3,    [WEIR_LINK] = 4,
    [WEIR_LOG_RECORD] = 6, [WEIR_METRIC] = 12, [WEIR_POINT] = 0, [WEIR_EXEMPLAR] = 7,
};

// The parts of a message that lead to attributes (opentelemetry-proto's .proto files).
static part find_part(weir_signal signal, uint8_t in, uint32_t number) {
  static const weir_level items[] = {[WEIR_TRACES] = WEIR_SPAN, [WEIR_METRICS] = WEIR_METRIC, [WEIR_LOGS] = WEIR_LOG_RECORD};
  const part none = {false, NOWHERE}, point = {true, WEIR_POINT}, exemplar = {false, AT + WEIR_EXEMPLAR};
  switch (in) {
    case DATA: return number == 1 ? (part){false, RESOURCE_ITEMS} : none;
    case RESOURCE_ITEMS:
      if (number == 1) return (part){false, AT + WEIR_RESOURCE};
      return number == 2 ? (part){false, SCOPE_ITEMS} : none;
    case SCOPE_ITEMS:
      if (number == 1) return (part){false, AT + WEIR_SCOPE};
      return number == 2 ? (part){false, (uint8_t)(AT + items[signal])} : none;
    case NUMBER_POINTS:
    case HISTOGRAM_POINTS:
    case EXPONENTIAL_POINTS:
    case SUMMARY_POINTS: return number == 1 ? (part){false, (uint8_t)(in + NUMBER_POINT - NUMBER_POINTS)} : none;
    case NUMBER_POINT: return number == 7 ? point : number == 5 ? exemplar : none;
    case HISTOGRAM_POINT: return number == 9 ? point : number == 8 ? exemplar : none;
    case EXPONENTIAL_POINT: return number == 1 ? point : number == 11 ? exemplar : none;
    case SUMMARY_POINT: return number == 7 ? point : none;
    case AT + WEIR_SPAN:
      if (number == 11) return (part){false, AT + WEIR_EVENT};
      if (number == 13) return (part){false, AT + WEIR_LINK};
      break;
    case AT + WEIR_METRIC:
      if (number == 5 || number == 7) return (part){false, NUMBER_POINTS};
      if (number >= 9 && number <= 11) return (part){false, (uint8_t)(HISTOGRAM_POINTS + number - 9)};
      break;
  }
  return number == ATTRIBUTES[in - AT] ? (part){true, (uint8_t)(in - AT)} : none;
}

// An attribute with a text for its value.
static bool with_text(weir_bytes attribute, weir_bytes text, weir_bytes *changed, weir_text *why) {
  edit without = edit_of(attribute);
  weir_fields fields = weir_read(attribute);
  while (weir_next(&fields))
    if (fields.number == 2) leave_out(&without, &fields);
  if (fields.fault) return weir_fail(why, fields.fault);
  weir_text value = {0}, out = {0};
  weir_put_field(&value, 1, text);
  weir_bytes rest = end_edit(&without);
  weir_put(&out, rest.at, rest.length);
  weir_put_field(&out, 2, weir_bytes_of(&value));
  *changed = weir_bytes_of(&out);
  return true;
}

typedef struct {
  weir_signal signal;
  weir_decide *decide;
  void *with;
} editor;

static bool edit_attribute(const editor *by, weir_level level, weir_fields *fields, edit *edit, weir_text *why) {
  weir_attribute attribute;
  weir_change change = {WEIR_KEEP, {NULL, 0}};
  weir_bytes changed;
  if (!weir_read_attribute(fields->bytes, &attribute, why)) return false;
  if (!by->decide(level, &attribute, &change, by->with, why)) return false;
  if (change.what == WEIR_KEEP) return true;
  if (change.what == WEIR_SET && !with_text(fields->bytes, change.text, &changed, why)) return false;
  leave_out(edit, fields);
  if (change.what == WEIR_SET) weir_put_field(&edit->out, fields->number, changed);
  return true;
}

static bool edit_in(const editor *by, uint8_t in, weir_bytes message, weir_bytes *edited, weir_text *why) {
  edit edit = edit_of(message);
  weir_fields fields = weir_read(message);
  while (weir_next(&fields)) {
    part part = find_part(by->signal, in, fields.number);
    if (part.to == NOWHERE) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    if (part.is_attribute) {
      if (!edit_attribute(by, part.to, &fields, &edit, why)) return false;
      continue;
    }
    weir_bytes changed;
    if (!edit_in(by, part.to, fields.bytes, &changed, why)) return false;
    if (is_same(changed, fields.bytes)) continue;
    leave_out(&edit, &fields);
    weir_put_field(&edit.out, fields.number, changed);
  }
  *edited = end_edit(&edit);
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

bool weir_edit_attributes(weir_signal signal, weir_bytes value, weir_decide *decide, void *with, weir_bytes *edited,
                          weir_text *why) {
  editor by = {signal, decide, with};
  return edit_in(&by, DATA, value, edited, why);
}

typedef struct {
  weir_stays *stays;
  void *with;
  weir_bytes resource;
} keeper;

// Of a resource in pieces, which protobuf merges, all of them.
static bool resource_of(weir_bytes items, weir_bytes *resource, weir_text *why) {
  weir_fields fields = weir_read(items);
  *resource = (weir_bytes){NULL, 0};
  while (weir_next(&fields)) {
    if (fields.number != 1) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    *resource = weir_join(*resource, fields.bytes);
  }
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

// Edits the parts of a message: resources with their items at depth 0, scopes with theirs at 1, items at 2. A message
// that had parts and has none left goes itself.
static bool keep_in(keeper *by, int depth, weir_bytes message, weir_bytes *edited, bool *stays, weir_text *why) {
  if (depth == 1 && !resource_of(message, &by->resource, why)) return false;
  edit edit = edit_of(message);
  weir_fields fields = weir_read(message);
  size_t had = 0, left = 0;
  while (weir_next(&fields)) {
    if (fields.number != (depth == 0 ? 1 : 2)) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    weir_bytes changed = fields.bytes;
    bool it_stays = true;
    bool is_well = depth == 2 ? by->stays(fields.bytes, by->resource, &it_stays, by->with, why)
                              : keep_in(by, depth + 1, fields.bytes, &changed, &it_stays, why);
    if (!is_well) return false;
    had++;
    left += it_stays;
    if (it_stays && is_same(changed, fields.bytes)) continue;
    leave_out(&edit, &fields);
    if (it_stays) weir_put_field(&edit.out, fields.number, changed);
  }
  *stays = had == 0 || left > 0;
  *edited = *stays ? end_edit(&edit) : (weir_bytes){message.at, 0};
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

bool weir_keep_items(weir_bytes value, weir_stays *stays, void *with, weir_bytes *edited, weir_text *why) {
  keeper by = {stays, with, {NULL, 0}};
  bool is_left;
  return keep_in(&by, 0, value, edited, &is_left, why);
}
