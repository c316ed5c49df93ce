// arrow-to-arrow: the plan, the columns that are read, those that are made, and the canonical ABI of both. The records of
// the contract are laid out by C on wasm32 as the ABI wants them.
#include "weir.h"

#include <string.h>

// ---- As the host lowers and lifts them

enum { BOOLEAN, INT32, INT64, FLOAT32, FLOAT64, DATE, TIMESTAMP_UTC, TIMESTAMP_LOCAL, UTF8, BINARY, LIST, STRUCT, MAP, DICTIONARY };

typedef struct {
  weir_bytes name;
  uint8_t type;
  bool nullable;
  weir_bytes doc;
  uint32_t children;
} field;

typedef struct {
  weir_bytes name, doc;
  const field *fields;
  size_t length;
} given_table;

// A list of any records.
typedef struct {
  const void *at;
  size_t length;
} list;

typedef struct {
  uint8_t tag; // 0 kept, 1 renamed, 2 made
  union {
    struct {
      uint32_t column;
      weir_bytes name;
    } kept;
    list made;
  };
} derived_column;

typedef struct {
  weir_bytes name, doc;
  uint32_t source;
  list columns;
} derived_table;

typedef struct {
  uint32_t length, nulls;
} node;

typedef struct {
  uint32_t rows;
  list nodes;
  weir_list buffers;
} record_batch;

typedef struct {
  uint8_t is_chosen;
  list rows;
  record_batch made;
} derived_rows;

typedef struct {
  uint32_t table, row;
  weir_bytes reason;
} refused_row;

// Of result<plan, string> and result<output, string>.
typedef struct {
  uint8_t is_error;
  list first, second;
} answer;

// ---- What a plugin sees

// A column of the source that goes on.
typedef struct {
  uint32_t column;
  weir_bytes name;
  bool is_renamed, is_gone;
} kept;

struct weir_column {
  weir_column *next;
  field field;
  size_t rows, nulls;
  weir_text validity, values, bytes; // values are offsets of texts
};

struct weir_table {
  weir_table *next;
  weir_bytes name, doc;
  size_t source;
  kept *kept;
  size_t kept_length;
  weir_column *first, **last;
  bool is_gone, is_chosen;
  weir_text chosen;
};

struct weir_plan {
  const given_table *given;
  size_t length;
  uint32_t **reads; // for each given table the columns that are read, rising
  size_t *read_counts;
  weir_table *first;
};

struct weir_rows {
  const weir_plan *plan;
  const record_batch *batches;
};

struct weir_choice {
  const weir_rows *rows;
  weir_text refused;
  size_t refused_length;
};

static weir_plan *plan;

static size_t buffers_of(uint8_t type) { return type == STRUCT ? 1 : type == UTF8 || type == BINARY ? 3 : 2; }

// The place behind a column and its children.
static size_t skip(const given_table *table, size_t at) {
  for (size_t left = 1; left > 0 && at < table->length; at++) left += table->fields[at].children - 1;
  return at;
}

static size_t columns_of(const given_table *table) {
  size_t count = 0;
  for (size_t at = 0; at < table->length; at = skip(table, at)) count++;
  return count;
}

// ---- The plan

static weir_plan *plan_of(const given_table *given, size_t length) {
  weir_plan *made = weir_alloc(sizeof *made);
  *made = (weir_plan){given, length, weir_alloc(length * sizeof(uint32_t *)), weir_alloc(length * sizeof(size_t)), NULL};
  weir_table **last = &made->first;
  for (size_t i = 0; i < length; i++) {
    size_t columns = columns_of(&given[i]);
    made->reads[i] = weir_alloc(columns * sizeof(uint32_t));
    made->read_counts[i] = 0;
    weir_table *table = weir_alloc(sizeof *table);
    *table = (weir_table){.name = given[i].name, .doc = given[i].doc, .source = i};
    table->last = &table->first;
    table->kept = weir_alloc(columns * sizeof(kept));
    for (size_t at = 0; at < given[i].length; at = skip(&given[i], at)) {
      uint32_t column = (uint32_t)table->kept_length++;
      table->kept[column] = (kept){column, given[i].fields[at].name, false, false};
    }
    *last = table;
    last = &table->next;
  }
  return made;
}

static bool list_names(weir_text *why, weir_bytes name, bool is_first) {
  weir_puts(why, is_first ? " (there are: " : ", ");
  weir_put(why, name.at, name.length);
  return false;
}

static bool source_of(const weir_plan *of, const char *name, size_t *source, weir_text *why) {
  for (*source = 0; *source < of->length; ++*source)
    if (weir_is(of->given[*source].name, name)) return true;
  weir_fail(why, "there is no table `", name, "`");
  for (size_t i = 0; i < of->length; i++) list_names(why, of->given[i].name, i == 0);
  weir_puts(why, ")");
  return false;
}

static void note_read(weir_plan *of, size_t table, uint32_t column) {
  uint32_t *reads = of->reads[table];
  size_t at = of->read_counts[table];
  for (size_t i = 0; i < at; i++)
    if (reads[i] == column) return;
  for (; at > 0 && reads[at - 1] > column; at--) reads[at] = reads[at - 1];
  reads[at] = column;
  of->read_counts[table]++;
}

static bool read_column(weir_plan *of, const char *table, const char *column, weir_place *place, const char *kind,
                        uint32_t types, weir_text *why) {
  size_t source;
  if (!source_of(of, table, &source, why)) return false;
  const given_table *given = &of->given[source];
  size_t index = 0;
  for (size_t at = 0; at < given->length; at = skip(given, at), index++) {
    if (!weir_is(given->fields[at].name, column)) continue;
    uint8_t type = given->fields[at].type;
    if (!(types >> type & 1))
      return weir_fail(why, "it needs a column of ", kind, ", and `", column, "` of table `", table, "` is something else");
    *place = (weir_place){source, index, type};
    note_read(of, source, (uint32_t)index);
    return true;
  }
  weir_fail(why, "there is no column of ", kind, " in table `", table, "`, named `", column, "`");
  for (size_t at = 0; at < given->length; at = skip(given, at)) list_names(why, given->fields[at].name, at == 0);
  weir_puts(why, ")");
  return false;
}

bool weir_read_texts(weir_plan *of, const char *table, const char *column, weir_place *place, weir_text *why) {
  return read_column(of, table, column, place, "text", 1 << UTF8 | 1 << BINARY | 1 << DICTIONARY, why);
}

bool weir_read_ints(weir_plan *of, const char *table, const char *column, weir_place *place, weir_text *why) {
  const uint32_t types = 1 << INT32 | 1 << INT64 | 1 << DATE | 1 << TIMESTAMP_UTC | 1 << TIMESTAMP_LOCAL;
  return read_column(of, table, column, place, "integers", types, why);
}

bool weir_read_floats(weir_plan *of, const char *table, const char *column, weir_place *place, weir_text *why) {
  return read_column(of, table, column, place, "floating-point numbers", 1 << FLOAT32 | 1 << FLOAT64, why);
}

bool weir_read_bools(weir_plan *of, const char *table, const char *column, weir_place *place, weir_text *why) {
  return read_column(of, table, column, place, "booleans", 1 << BOOLEAN, why);
}

bool weir_find_table(weir_plan *of, const char *name, weir_table **table, weir_text *why) {
  size_t source;
  if (!source_of(of, name, &source, why)) return false;
  for (*table = of->first; (*table)->source != source;) *table = (*table)->next;
  return true;
}

void weir_drop_table(weir_table *table) { table->is_gone = true; }

static kept *find_kept(weir_table *table, const char *column, weir_text *why) {
  for (size_t i = 0; i < table->kept_length; i++)
    if (!table->kept[i].is_gone && weir_is(table->kept[i].name, column)) return &table->kept[i];
  if (why) weir_fail(why, "there is no column in table `", weir_string(table->name), "`, named `", column, "`");
  return NULL;
}

bool weir_drop_column(weir_table *table, const char *column, weir_text *why) {
  kept *found = find_kept(table, column, why);
  if (found) found->is_gone = true;
  return found != NULL;
}

bool weir_rename_column(weir_table *table, const char *column, const char *name, weir_text *why) {
  kept *found = find_kept(table, column, why);
  if (found) {
    found->name = (weir_bytes){(const uint8_t *)name, strlen(name)};
    found->is_renamed = true;
  }
  return found != NULL;
}

static weir_column *add(weir_table *table, const char *name, const char *doc, uint8_t type) {
  kept *before = find_kept(table, name, NULL);
  if (before) before->is_gone = true;
  weir_column *column = weir_alloc(sizeof *column);
  *column = (weir_column){.field = {.name = {(const uint8_t *)name, strlen(name)},
                                    .type = type,
                                    .nullable = true,
                                    .doc = {(const uint8_t *)doc, strlen(doc)}}};
  *table->last = column;
  table->last = &column->next;
  return column;
}

weir_column *weir_add_bools(weir_table *table, const char *name, const char *doc) { return add(table, name, doc, BOOLEAN); }
weir_column *weir_add_ints(weir_table *table, const char *name, const char *doc) { return add(table, name, doc, INT64); }
weir_column *weir_add_floats(weir_table *table, const char *name, const char *doc) { return add(table, name, doc, FLOAT64); }
weir_column *weir_add_texts(weir_table *table, const char *name, const char *doc) { return add(table, name, doc, UTF8); }

// ---- Columns that are read

size_t weir_row_count(const weir_rows *rows, const weir_table *table) { return rows->batches[table->source].rows; }

// A column's buffers, if the row has a value.
static const weir_bytes *buffers_at(const weir_rows *rows, weir_place place, size_t row) {
  const given_table *given = &rows->plan->given[place.table];
  const record_batch *batch = &rows->batches[place.table];
  const uint32_t *reads = rows->plan->reads[place.table];
  size_t buffer = 0, column = 0, read = 0;
  for (size_t at = 0; column < place.column; column++) {
    size_t to = skip(given, at);
    bool is_read = reads[read] == column;
    read += is_read;
    for (; at < to; at++) buffer += is_read ? buffers_of(given->fields[at].type) : 0;
  }
  if (row >= batch->rows || buffer >= batch->buffers.length) return NULL;
  const weir_bytes *buffers = batch->buffers.at + buffer;
  bool is_there = buffers->length == 0 || buffers->at[row / 8] >> (row % 8) & 1;
  return is_there ? buffers : NULL;
}

bool weir_get_text(const weir_rows *rows, weir_place place, size_t row, weir_bytes *value) {
  const weir_bytes *buffers = buffers_at(rows, place, row);
  if (buffers == NULL) return false;
  size_t at = row;
  const weir_bytes *texts = buffers + 1;
  if (place.type == DICTIONARY) {
    int32_t key;
    memcpy(&key, buffers[1].at + 4 * row, 4);
    at = (size_t)key;
    texts = buffers + 3; // behind the values' validity
  }
  uint32_t offsets[2];
  memcpy(offsets, texts[0].at + 4 * at, 8);
  *value = (weir_bytes){texts[1].at + offsets[0], offsets[1] - offsets[0]};
  return true;
}

bool weir_get_int(const weir_rows *rows, weir_place place, size_t row, int64_t *value) {
  const weir_bytes *buffers = buffers_at(rows, place, row);
  if (buffers == NULL) return false;
  if (place.type == INT32 || place.type == DATE) {
    int32_t narrow;
    memcpy(&narrow, buffers[1].at + 4 * row, 4);
    *value = narrow;
  } else memcpy(value, buffers[1].at + 8 * row, 8);
  return true;
}

bool weir_get_float(const weir_rows *rows, weir_place place, size_t row, double *value) {
  const weir_bytes *buffers = buffers_at(rows, place, row);
  if (buffers == NULL) return false;
  if (place.type == FLOAT32) {
    float narrow;
    memcpy(&narrow, buffers[1].at + 4 * row, 4);
    *value = narrow;
  } else memcpy(value, buffers[1].at + 8 * row, 8);
  return true;
}

bool weir_get_bool(const weir_rows *rows, weir_place place, size_t row, bool *value) {
  const weir_bytes *buffers = buffers_at(rows, place, row);
  if (buffers) *value = buffers[1].at[row / 8] >> (row % 8) & 1;
  return buffers != NULL;
}

// ---- Rows that stay, and columns that are made

void weir_filter(weir_choice *choice, weir_table *table) {
  (void)choice;
  table->is_chosen = true;
  table->chosen.length = 0;
}

void weir_keep(weir_choice *choice, weir_table *table, size_t row) {
  if (!table->is_chosen) weir_filter(choice, table);
  weir_put(&table->chosen, &(uint32_t){(uint32_t)row}, 4);
}

void weir_refuse(weir_choice *choice, const weir_table *table, size_t row, const char *reason) {
  refused_row refused = {(uint32_t)table->source, (uint32_t)row, {(const uint8_t *)reason, strlen(reason)}};
  weir_put(&choice->refused, &refused, sizeof refused);
  choice->refused_length++;
}

static void push_bit(weir_text *bits, size_t at, bool is) {
  if (at % 8 == 0) weir_put(bits, "", 1);
  if (is) bits->at[at / 8] |= (uint8_t)(1 << at % 8);
}

static void end_row(weir_column *column, bool is_there) {
  push_bit(&column->validity, column->rows++, is_there);
  column->nulls += !is_there;
}

void weir_push_bool(weir_column *column, bool value) {
  push_bit(&column->values, column->rows, value);
  end_row(column, true);
}

void weir_push_int(weir_column *column, int64_t value) {
  weir_put(&column->values, &value, 8);
  end_row(column, true);
}

void weir_push_float(weir_column *column, double value) {
  weir_put(&column->values, &value, 8);
  end_row(column, true);
}

static void end_text(weir_column *column, bool is_there) {
  if (column->rows == 0) weir_put(&column->values, &(uint32_t){0}, 4);
  weir_put(&column->values, &(uint32_t){(uint32_t)column->bytes.length}, 4);
  end_row(column, is_there);
}

void weir_push_text(weir_column *column, weir_bytes value) {
  weir_put(&column->bytes, value.at, value.length);
  end_text(column, true);
}

void weir_push_null(weir_column *column) {
  if (column->field.type == UTF8) return end_text(column, false);
  if (column->field.type == BOOLEAN) push_bit(&column->values, column->rows, false);
  else weir_put(&column->values, &(uint64_t){0}, 8);
  end_row(column, false);
}

// ---- The ABI

static void *answer_of(list first, list second) {
  answer *made = weir_alloc(sizeof *made);
  *made = (answer){0, first, second};
  return made;
}

static derived_table derive(const weir_table *table) {
  size_t length = table->kept_length;
  for (weir_column *column = table->first; column; column = column->next) length++;
  derived_column *columns = weir_alloc(length * sizeof *columns), *at = columns;
  for (size_t i = 0; i < table->kept_length; i++) {
    const kept *kept = &table->kept[i];
    if (kept->is_gone) continue;
    *at++ = (derived_column){.tag = kept->is_renamed, .kept = {kept->column, kept->name}};
  }
  for (weir_column *column = table->first; column; column = column->next)
    *at++ = (derived_column){.tag = 2, .made = {&column->field, 1}};
  return (derived_table){table->name, table->doc, (uint32_t)table->source, {columns, (size_t)(at - columns)}};
}

void *weir_run_configure_rows(weir_configure_rows *configure, const void *given, size_t length, const void *tables,
                              size_t table_count) {
  weir_settings *settings = weir_settings_of(given, length);
  weir_text why = {0};
  plan = plan_of(tables, table_count);
  bool is_well = configure(settings, plan, &why) && weir_refuse_the_rest(settings, &why);
  weir_keep_memory();
  if (!is_well) return weir_error_of(&why);
  list *reads = weir_alloc(table_count * sizeof *reads);
  derived_table *derived = weir_alloc(table_count * sizeof *derived);
  size_t derived_length = 0;
  for (weir_table *table = plan->first; table; table = table->next) {
    reads[table->source] = (list){plan->reads[table->source], plan->read_counts[table->source]};
    if (!table->is_gone) derived[derived_length++] = derive(table);
  }
  return answer_of((list){reads, table_count}, (list){derived, derived_length});
}

// What a batch begins with: nothing chosen, nothing made. What was made before lies in memory that is used again.
static void begin(void) {
  for (weir_table *table = plan->first; table; table = table->next) {
    table->is_chosen = false;
    table->chosen = (weir_text){0};
    for (weir_column *column = table->first; column; column = column->next) {
      column->rows = column->nulls = 0;
      column->validity = column->values = column->bytes = (weir_text){0};
    }
  }
}

static bool end(const weir_rows *rows, const weir_table *table, derived_rows *to, weir_text *why) {
  size_t selected = table->is_chosen ? table->chosen.length / 4 : weir_row_count(rows, table);
  size_t count = 0;
  for (weir_column *column = table->first; column; column = column->next) count++;
  node *nodes = weir_alloc(count * sizeof *nodes);
  weir_bytes *buffers = weir_alloc(3 * count * sizeof *buffers);
  *to = (derived_rows){table->is_chosen, {table->chosen.at, table->chosen.length / 4},
                       {(uint32_t)selected, {nodes, count}, {buffers, 0}}};
  for (weir_column *column = table->first; column; column = column->next) {
    if (column->rows != selected)
      return weir_fail(why, "column `", weir_string(column->field.name), "` has not one value for each row that stays");
    *nodes++ = (node){(uint32_t)column->rows, (uint32_t)column->nulls};
    *buffers++ = column->nulls ? weir_bytes_of(&column->validity) : (weir_bytes){NULL, 0};
    *buffers++ = weir_bytes_of(&column->values);
    if (column->field.type == UTF8) *buffers++ = weir_bytes_of(&column->bytes);
    to->made.buffers.length += buffers_of(column->field.type);
  }
  return true;
}

void *weir_run_transform_rows(weir_transform_rows *transform, const void *batches, size_t length) {
  (void)length; // as many as there are tables
  weir_rows rows = {plan, batches};
  weir_choice choice = {&rows, {0}, 0};
  weir_text why = {0};
  begin();
  if (!transform(&rows, &choice, &why)) return weir_error_of(&why);
  derived_rows *derived = weir_alloc(plan->length * sizeof *derived);
  size_t count = 0;
  for (weir_table *table = plan->first; table; table = table->next)
    if (!table->is_gone && !end(&rows, table, &derived[count++], &why)) return weir_error_of(&why);
  return answer_of((list){derived, count}, (list){choice.refused.at, choice.refused_length});
}
