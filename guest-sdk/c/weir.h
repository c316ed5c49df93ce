// Plugins in C: what both kinds share, then otlp-to-otlp with a reader and an editor of OTLP, then arrow-to-arrow.
//
// A plugin is a file plugin.c that includes this header and ends with WEIR_OTLP_TO_OTLP(configure, transform) or
// WEIR_ARROW_TO_ARROW(configure, transform); `weir plugin build` makes a component of it and of this SDK's sources. It
// runs in a sandbox: no file, no network, no environment, no clock.
//
// A function that gives bool gives false when it fails, and says why in its last argument; pass that on.
#ifndef WEIR_H
#define WEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- Bytes, texts, memory

// Bytes that somebody else owns. Not terminated by a zero.
typedef struct {
  const uint8_t *at;
  size_t length;
} weir_bytes;

// Several of them.
typedef struct {
  const weir_bytes *at;
  size_t length;
} weir_list;

// Bytes that grow, in memory of weir_alloc. Begins as {0}.
typedef struct {
  uint8_t *at;
  size_t length, room;
} weir_text;

bool weir_is(weir_bytes bytes, const char *text);
bool weir_same(weir_bytes one, weir_bytes other);

// Memory that is there until the call ends; what configure allocates stays for good. Never gives NULL: where there is
// no memory the call ends. Nothing has to be freed.
void *weir_alloc(size_t size);

void weir_put(weir_text *text, const void *bytes, size_t length);
void weir_puts(weir_text *text, const char *bytes);
weir_bytes weir_bytes_of(const weir_text *text);
// The bytes with a zero behind them.
const char *weir_string(weir_bytes bytes);

// Says why, in pieces, and gives false: return weir_fail(why, "there is no ", name);
#define weir_fail(why, ...) weir_fail_with((why), (const char *const[]){__VA_ARGS__, NULL})
bool weir_fail_with(weir_text *why, const char *const *pieces);

// ---- Settings: what a pipeline's TOML says under `config`, nested tables joined by dots

typedef struct weir_settings weir_settings;

// All values of an array, or the one of a scalar. False where the key is missing.
bool weir_setting_list(weir_settings *settings, const char *key, weir_list *values);
// One value, or what is in *value already where the key is missing; so for the others. A setting that nothing asked for
// is refused after configure.
bool weir_setting_text(weir_settings *settings, const char *key, weir_bytes *value, weir_text *why);
bool weir_setting_flag(weir_settings *settings, const char *key, bool *value, weir_text *why);
bool weir_setting_number(weir_settings *settings, const char *key, double *value, weir_text *why);

// ---- Log and counters

typedef enum { WEIR_ERROR, WEIR_WARN, WEIR_INFO, WEIR_DEBUG } weir_loudness;

// Writes one line. The host cuts lines beyond 4 KiB and drops those beyond 100 a call.
void weir_log(weir_loudness loudness, const char *line);
// Adds to a counter, which appears as weir_plugin_counter_total{plugin, counter}.
void weir_count(const char *counter, uint64_t amount);

// ---- Plugins that turn OTLP into OTLP: they filter, redact, sample and enrich

typedef enum { WEIR_TRACES, WEIR_METRICS, WEIR_LOGS } weir_signal;

// A header of a Kafka record. No value where Kafka holds null.
typedef struct {
  weir_bytes key;
  bool has_value;
  weir_bytes value;
} weir_header;

// A Kafka record, or the part of one that was too large to be sent whole.
typedef struct {
  // OTLP protobuf, whatever the topic's encoding was. May be empty. Its strings may hold invalid UTF-8: pass the bytes
  // on, the host repairs and counts.
  weir_bytes value;
  bool has_key;
  weir_bytes key;
  struct {
    const weir_header *at;
    size_t length;
  } headers;
  // In milliseconds since 1970, where the broker has one.
  struct {
    bool is_there;
    int64_t ms;
  } timestamp;
  int64_t offset;
} weir_message;

// What a plugin knows of the batch that a record is in.
typedef struct {
  weir_signal signal;
  weir_bytes topic;
  int32_t partition;
} weir_context;

// As weir_count, but taken back if the record at hand is refused.
void weir_count_record(weir_context *context, const char *counter, uint64_t amount);

// Reads the settings. False is a mistake in these, for whoever wrote them: the pipeline does not start.
typedef bool weir_configure(weir_settings *settings, weir_text *why);
// Says what becomes of a record: *value is message->value, which goes on as it is and is not copied, unless another
// value is put there; one of length 0 where nothing is left. False refuses the record: it becomes a dead letter.
typedef bool weir_transform(const weir_message *message, weir_context *context, weir_bytes *value, weir_text *why);

// The fields of a message, in their order on the wire:
//   weir_fields fields = weir_read(message);
//   while (weir_next(&fields)) ... fields.number ...
//   if (fields.fault) return weir_fail(why, fields.fault);
typedef struct {
  const uint8_t *from, *at, *end; // where this field begins, what follows it, the end of the message
  uint32_t number;
  uint8_t wire; // 0 varint, 1 64 bits, 2 bytes, 5 32 bits, 3 a group, which is skipped
  uint64_t value;
  weir_bytes bytes;
  const char *fault; // what is wrong with the message
} weir_fields;

weir_fields weir_read(weir_bytes message);
bool weir_next(weir_fields *fields);

// The last field of a number, of 64 bits or a varint. 0 where there is none.
bool weir_number_of(weir_bytes message, uint32_t number, uint64_t *value, weir_text *why);
// The last field of a number, of bytes, text or a message. Length 0 where there is none.
bool weir_part_of(weir_bytes message, uint32_t number, weir_bytes *part, weir_text *why);

typedef enum {
  WEIR_EMPTY,
  WEIR_STRING,
  WEIR_BOOL,
  WEIR_INT,
  WEIR_DOUBLE,
  WEIR_BYTES,
  WEIR_ARRAY,      // bytes is an ArrayValue
  WEIR_KEY_VALUES, // bytes is a KeyValueList
} weir_kind;

// An AnyValue.
typedef struct {
  weir_kind kind;
  weir_bytes bytes;
  int64_t integer; // 0 or 1 of a bool
  double number;
} weir_value;

// A key, and its value as it lies on the wire.
typedef struct {
  weir_bytes key, value;
} weir_attribute;

bool weir_read_attribute(weir_bytes message, weir_attribute *attribute, weir_text *why);
bool weir_read_value(weir_bytes message, weir_value *value, weir_text *why);
// The last attribute of a key among those that a message has as field number: 1 of a resource, 9 of a span, 6 of a log
// record. *found says whether there is one.
bool weir_find(weir_bytes message, uint32_t number, const char *key, weir_value *value, bool *found, weir_text *why);
// Appends a value as text: a string as it is, numbers as JSON has them, NaN and the infinities bare, bytes as base64,
// nothing for an empty value; arrays and key-value lists are JSON (OpenTelemetry specification, common, "AnyValue
// representation for non-OTLP protocols").
bool weir_put_value(weir_text *text, weir_value value, weir_text *why);

// Where in a message attributes are.
typedef enum {
  WEIR_RESOURCE,
  WEIR_SCOPE,
  WEIR_SPAN,
  WEIR_EVENT,
  WEIR_LINK,
  WEIR_LOG_RECORD,
  WEIR_METRIC, // the metadata of a metric
  WEIR_POINT,
  WEIR_EXEMPLAR,
} weir_level;

// What becomes of an attribute. Begins as {WEIR_KEEP}.
typedef struct {
  enum { WEIR_KEEP, WEIR_DROP, WEIR_SET } what;
  weir_bytes text; // its value from now on
} weir_change;

typedef bool weir_decide(weir_level level, const weir_attribute *attribute, weir_change *change, void *with,
                         weir_text *why);
// Decides for each attribute of a record's value, on all levels; *edited is the value itself where nothing changed.
bool weir_edit_attributes(weir_signal signal, weir_bytes value, weir_decide *decide, void *with, weir_bytes *edited,
                          weir_text *why);

typedef bool weir_stays(weir_bytes item, weir_bytes resource, bool *stays, void *with, weir_text *why);
// Keeps the spans, log records or metrics for which `stays` says so, with their resource at hand. Scopes and resources
// of which no item stays go too, and a value of which nothing stays is empty.
bool weir_keep_items(weir_bytes value, weir_stays *stays, void *with, weir_bytes *edited, weir_text *why);

// ---- Plugins that turn rows into rows: they filter rows, drop, rename and add columns. Only what a plugin reads and
// makes crosses the sandbox; the host carries over the rest.

// What a plugin reads and gives. It begins with all tables and columns going on as they are.
typedef struct weir_plan weir_plan;
// A table that goes on. It stays, as columns do, and may be kept.
typedef struct weir_table weir_table;
// A column that the plugin makes.
typedef struct weir_column weir_column;
typedef struct weir_rows weir_rows;
typedef struct weir_choice weir_choice;

// A column that is read.
typedef struct {
  size_t table, column;
  uint8_t type;
} weir_place;

typedef bool weir_configure_rows(weir_settings *settings, weir_plan *plan, weir_text *why);
// Looks at the rows of a batch, chooses those that stay, and pushes to each made column a value for each row that stays.
// Without a word all stay. False says that the batch as a whole cannot be done; weir_refuse costs less.
typedef bool weir_transform_rows(const weir_rows *rows, weir_choice *choice, weir_text *why);

// Texts or bytes, dictionary or not; 32- or 64-bit integers, dates in days, timestamps in microseconds; 32- or 64-bit
// floating-point numbers; booleans.
bool weir_read_texts(weir_plan *plan, const char *table, const char *column, weir_place *place, weir_text *why);
bool weir_read_ints(weir_plan *plan, const char *table, const char *column, weir_place *place, weir_text *why);
bool weir_read_floats(weir_plan *plan, const char *table, const char *column, weir_place *place, weir_text *why);
bool weir_read_bools(weir_plan *plan, const char *table, const char *column, weir_place *place, weir_text *why);

bool weir_find_table(weir_plan *plan, const char *name, weir_table **table, weir_text *why);
bool weir_drop_column(weir_table *table, const char *column, weir_text *why);
bool weir_rename_column(weir_table *table, const char *column, const char *name, weir_text *why);
// Ends a table here.
void weir_drop_table(weir_table *table);

// Adds a column. One that has the name of a column that would go on takes its place.
weir_column *weir_add_bools(weir_table *table, const char *name, const char *doc);
weir_column *weir_add_ints(weir_table *table, const char *name, const char *doc);
weir_column *weir_add_floats(weir_table *table, const char *name, const char *doc);
weir_column *weir_add_texts(weir_table *table, const char *name, const char *doc);

// How many rows a table's source has.
size_t weir_row_count(const weir_rows *rows, const weir_table *table);
// A row's value; false where it is missing.
bool weir_get_text(const weir_rows *rows, weir_place place, size_t row, weir_bytes *value);
bool weir_get_int(const weir_rows *rows, weir_place place, size_t row, int64_t *value);
bool weir_get_float(const weir_rows *rows, weir_place place, size_t row, double *value);
bool weir_get_bool(const weir_rows *rows, weir_place place, size_t row, bool *value);

// From now on only those rows of a table stay that weir_keep names, which must rise.
void weir_filter(weir_choice *choice, weir_table *table);
void weir_keep(weir_choice *choice, weir_table *table, size_t row);
// Refuses the Kafka record that a row of the table's source came from: it becomes a dead letter with this reason.
void weir_refuse(weir_choice *choice, const weir_table *table, size_t row, const char *reason);

void weir_push_bool(weir_column *column, bool value);
void weir_push_int(weir_column *column, int64_t value);
void weir_push_float(weir_column *column, double value);
void weir_push_text(weir_column *column, weir_bytes value);
void weir_push_null(weir_column *column);

// ---- What makes a plugin of two functions

#define WEIR_EXPORT(name) __attribute__((export_name(name)))

#define WEIR_OTLP_TO_OTLP(configure, transform)                                                                        \
  WEIR_EXPORT("weir:plugin/otlp-to-otlp@0.1.0#configure")                                                              \
  void *weir_export_configure(const void *settings, size_t length) {                                                   \
    return weir_run_configure(configure, settings, length);                                                            \
  }                                                                                                                    \
  WEIR_EXPORT("weir:plugin/otlp-to-otlp@0.1.0#transform")                                                              \
  void *weir_export_transform(uint32_t signal, const uint8_t *topic, size_t topic_length, int32_t partition,           \
                              const weir_message *messages, size_t length) {                                           \
    weir_context context = {(weir_signal)signal, {topic, topic_length}, partition};                                    \
    return weir_run_transform(transform, &context, messages, length);                                                  \
  }                                                                                                                    \
  WEIR_EXPORT("cabi_post_weir:plugin/otlp-to-otlp@0.1.0#transform")                                                    \
  void weir_export_done(void *answer) { weir_release(answer); }

#define WEIR_ARROW_TO_ARROW(configure, transform)                                                                      \
  WEIR_EXPORT("weir:plugin/arrow-to-arrow@0.1.0#configure")                                                            \
  void *weir_export_configure(const void *settings, size_t length, const void *tables, size_t table_count) {           \
    return weir_run_configure_rows(configure, settings, length, tables, table_count);                                  \
  }                                                                                                                    \
  WEIR_EXPORT("weir:plugin/arrow-to-arrow@0.1.0#transform")                                                            \
  void *weir_export_transform(const void *tables, size_t length) {                                                     \
    return weir_run_transform_rows(transform, tables, length);                                                         \
  }                                                                                                                    \
  WEIR_EXPORT("cabi_post_weir:plugin/arrow-to-arrow@0.1.0#transform")                                                  \
  void weir_export_done(void *answer) { weir_release(answer); }

void *weir_run_configure(weir_configure *configure, const void *settings, size_t length);
void *weir_run_transform(weir_transform *transform, weir_context *context, const weir_message *messages, size_t length);
void *weir_run_configure_rows(weir_configure_rows *configure, const void *settings, size_t length, const void *tables,
                              size_t table_count);
void *weir_run_transform_rows(weir_transform_rows *transform, const void *tables, size_t length);
void weir_release(void *answer);

// ---- Between the SDK's own files

weir_settings *weir_settings_of(const void *settings, size_t length);
bool weir_refuse_the_rest(const weir_settings *settings, weir_text *why);
void weir_keep_memory(void);
void weir_put_field(weir_text *text, uint32_t number, weir_bytes bytes);
weir_bytes weir_join(weir_bytes one, weir_bytes other);
// A result<_, string> that is an error.
void *weir_error_of(const weir_text *why);

#endif
