// Memory, settings, log, and the canonical ABI of otlp-to-otlp (component model, CanonicalABI.md). The records of the
// contract are laid out by C on wasm32 as the ABI wants them.
#include "weir.h"

#include <stdlib.h>
#include <string.h>

// ---- Memory: chunks, used one after the other. A call ends by using them from the mark on again.

typedef struct chunk {
  struct chunk *next;
  size_t size;
} chunk;

enum { CHUNK_BYTES = 1 << 18, ALIGN = 16 };

static chunk *first, *current, *mark;
static size_t used, mark_used;

static uint8_t *bytes_of(chunk *of) { return (uint8_t *)of + ALIGN; }

void *weir_alloc(size_t size) {
  if (size > SIZE_MAX / 2) __builtin_trap();
  size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
  while (current == NULL || current->size - used < size) {
    chunk *next = current ? current->next : first;
    if (next == NULL || next->size < size) {
      size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
      chunk *made = malloc(ALIGN + room);
      if (made == NULL) __builtin_trap();
      *made = (chunk){next, room};
      if (current) current->next = made;
      else first = made;
      next = made;
    }
    current = next;
    used = 0;
  }
  void *at = bytes_of(current) + used;
  used += size;
  return at;
}

void weir_keep_memory(void) {
  mark = current;
  mark_used = used;
}

void weir_release(void *answer) {
  (void)answer;
  current = mark;
  used = mark_used;
}

__attribute__((export_name("cabi_realloc"))) void *weir_realloc(void *old, size_t old_size, size_t align, size_t size) {
  (void)align; // no record of the contract is aligned to more than 8
  void *at = weir_alloc(size);
  if (old_size) memcpy(at, old, old_size < size ? old_size : size);
  return at;
}

// ---- Bytes and texts

bool weir_same(weir_bytes one, weir_bytes other) {
  return one.length == other.length && (one.length == 0 || memcmp(one.at, other.at, one.length) == 0);
}

bool weir_is(weir_bytes bytes, const char *text) {
  return weir_same(bytes, (weir_bytes){(const uint8_t *)text, strlen(text)});
}

void weir_put(weir_text *text, const void *bytes, size_t length) {
  if (length == 0) return;
  if (text->room - text->length < length) {
    size_t room = 2 * text->room > text->length + length ? 2 * text->room : text->length + length;
    uint8_t *at = weir_alloc(room < 64 ? 64 : room);
    if (text->length) memcpy(at, text->at, text->length);
    text->at = at;
    text->room = room < 64 ? 64 : room;
  }
  memcpy(text->at + text->length, bytes, length);
  text->length += length;
}

void weir_puts(weir_text *text, const char *bytes) { weir_put(text, bytes, strlen(bytes)); }

weir_bytes weir_bytes_of(const weir_text *text) { return (weir_bytes){text->at, text->length}; }

const char *weir_string(weir_bytes bytes) {
  weir_text text = {0};
  weir_put(&text, bytes.at, bytes.length);
  weir_put(&text, "", 1);
  return (const char *)text.at;
}

weir_bytes weir_join(weir_bytes one, weir_bytes other) {
  if (one.length == 0) return other;
  weir_text text = {0};
  weir_put(&text, one.at, one.length);
  weir_put(&text, other.at, other.length);
  return weir_bytes_of(&text);
}

bool weir_fail_with(weir_text *why, const char *const *pieces) {
  why->length = 0;
  for (; *pieces; pieces++) weir_puts(why, *pieces);
  return false;
}

// ---- Settings

// As the host lowers them.
typedef struct {
  weir_bytes key;
  weir_list values;
} setting;

enum { ASKED_MAX = 64 };

struct weir_settings {
  const setting *given;
  size_t length;
  const char *asked[ASKED_MAX];
  size_t asked_length;
};

weir_settings *weir_settings_of(const void *given, size_t length) {
  weir_settings *settings = weir_alloc(sizeof *settings);
  *settings = (weir_settings){.given = given, .length = length};
  return settings;
}

static bool is_asked(const weir_settings *settings, weir_bytes key) {
  for (size_t i = 0; i < settings->asked_length; i++)
    if (weir_is(key, settings->asked[i])) return true;
  return false;
}

bool weir_setting_list(weir_settings *settings, const char *key, weir_list *values) {
  if (!is_asked(settings, (weir_bytes){(const uint8_t *)key, strlen(key)}) && settings->asked_length < ASKED_MAX)
    settings->asked[settings->asked_length++] = key;
  for (size_t i = 0; i < settings->length; i++)
    if (weir_is(settings->given[i].key, key)) {
      *values = settings->given[i].values;
      return true;
    }
  return false;
}

bool weir_setting_text(weir_settings *settings, const char *key, weir_bytes *value, weir_text *why) {
  weir_list values;
  if (!weir_setting_list(settings, key, &values)) return true;
  if (values.length != 1) return weir_fail(why, "setting `", key, "` takes one value, not an array of another length");
  *value = values.at[0];
  return true;
}

bool weir_setting_flag(weir_settings *settings, const char *key, bool *value, weir_text *why) {
  weir_bytes text = {NULL, 0};
  if (!weir_setting_text(settings, key, &text, why)) return false;
  if (text.at == NULL) return true;
  *value = weir_is(text, "true");
  if (*value || weir_is(text, "false")) return true;
  return weir_fail(why, "setting `", key, "` is true or false, not `", weir_string(text), "`");
}

bool weir_setting_number(weir_settings *settings, const char *key, double *value, weir_text *why) {
  weir_bytes text = {NULL, 0};
  if (!weir_setting_text(settings, key, &text, why)) return false;
  if (text.at == NULL) return true;
  weir_text digits = {0};
  for (size_t i = 0; i < text.length; i++)
    if (text.at[i] != '_') weir_put(&digits, text.at + i, 1);
  weir_put(&digits, "", 1);
  char *end;
  *value = strtod((const char *)digits.at, &end);
  if (digits.length > 1 && *end == 0) return true;
  return weir_fail(why, "setting `", key, "` is a number, not `", weir_string(text), "`");
}

bool weir_refuse_the_rest(const weir_settings *settings, weir_text *why) {
  for (size_t i = 0; i < settings->length; i++) {
    weir_bytes key = settings->given[i].key;
    for (size_t j = 0; j < i; j++)
      if (weir_same(settings->given[j].key, key))
        return weir_fail(why, "setting `", weir_string(key), "` is given twice");
    if (is_asked(settings, key)) continue;
    weir_fail(why, "unknown setting `", weir_string(key), "`");
    if (settings->asked_length == 0) weir_puts(why, "; this plugin has none");
    for (size_t j = 0; j < settings->asked_length; j++) {
      weir_puts(why, j == 0 ? " (there are: " : ", ");
      weir_puts(why, settings->asked[j]);
    }
    if (settings->asked_length > 0) weir_puts(why, ")");
    return false;
  }
  return true;
}

// ---- Log and counters

__attribute__((import_module("weir:plugin/log@0.1.0"), import_name("write"))) void host_write(uint32_t level,
                                                                                              const char *at,
                                                                                              size_t length);
__attribute__((import_module("weir:plugin/counters@0.1.0"), import_name("add"))) void host_add(const char *at,
                                                                                               size_t length,
                                                                                               uint64_t amount);

void weir_log(weir_loudness loudness, const char *line) { host_write(loudness, line, strlen(line)); }

void weir_count(const char *counter, uint64_t amount) {
  if (amount > 0) host_add(counter, strlen(counter), amount);
}

// What is counted for the record at hand, and for those of the batch before it.
typedef struct {
  const char *counter;
  uint64_t of_record, of_batch;
} staged;

enum { STAGED_MAX = 64 }; // the host takes no more of a plugin

static staged counts[STAGED_MAX];
static size_t counts_length;

void weir_count_record(weir_context *context, const char *counter, uint64_t amount) {
  (void)context;
  size_t i = 0;
  while (i < counts_length && strcmp(counts[i].counter, counter) != 0) i++;
  if (i == STAGED_MAX) return;
  if (i == counts_length) counts[counts_length++] = (staged){counter, 0, 0};
  counts[i].of_record += amount;
}

static void end_record(bool counts_it) {
  for (size_t i = 0; i < counts_length; i++) {
    if (counts_it) counts[i].of_batch += counts[i].of_record;
    counts[i].of_record = 0;
  }
}

static void end_batch(void) {
  for (size_t i = 0; i < counts_length; i++) weir_count(counts[i].counter, counts[i].of_batch);
  counts_length = 0;
}

// ---- otlp-to-otlp

// result<list<outcome>, string>, or result<_, string>.
typedef struct {
  uint8_t is_error;
  weir_bytes body;
} answer;

typedef struct {
  enum { UNCHANGED, CHANGED, REJECTED } tag;
  weir_bytes body;
} outcome;

void *weir_error_of(const weir_text *why) {
  answer *made = weir_alloc(sizeof *made);
  *made = (answer){1, weir_bytes_of(why)};
  return made;
}

void *weir_run_configure(weir_configure *configure, const void *given, size_t length) {
  weir_settings *settings = weir_settings_of(given, length);
  weir_text why = {0};
  bool is_well = configure(settings, &why) && weir_refuse_the_rest(settings, &why);
  weir_keep_memory();
  if (!is_well) return weir_error_of(&why);
  return memset(weir_alloc(sizeof(answer)), 0, sizeof(answer));
}

void *weir_run_transform(weir_transform *transform, weir_context *context, const weir_message *messages, size_t length) {
  outcome *outcomes = weir_alloc(length * sizeof *outcomes);
  for (size_t i = 0; i < length; i++) {
    weir_bytes given = messages[i].value, value = given;
    weir_text why = {0};
    bool is_well = transform(&messages[i], context, &value, &why);
    end_record(is_well);
    if (!is_well) outcomes[i] = (outcome){REJECTED, weir_bytes_of(&why)};
    else if (value.length == given.length && (value.length == 0 || value.at == given.at))
      outcomes[i] = (outcome){UNCHANGED, {NULL, 0}};
    else outcomes[i] = (outcome){CHANGED, value};
  }
  end_batch();
  answer *made = weir_alloc(sizeof *made);
  *made = (answer){0, {(const uint8_t *)outcomes, length}};
  return made;
}
