// Attribute values, and their text.
#include "weir.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MISMATCH[] = "not OTLP protobuf: a field has another wire type than its definition";
static const char TOO_DEEP[] = "not OTLP protobuf: values are nested more than 64 deep";

enum { VARINT = 0, FIXED64 = 1, BYTES = 2 };
enum { DEPTH_MAX = 64 };

bool weir_read_value(weir_bytes message, weir_value *value, weir_text *why) {
  static const struct {
    weir_kind kind;
    uint8_t wire;
  } members[] = {[1] = {WEIR_STRING, BYTES},     [2] = {WEIR_BOOL, VARINT}, [3] = {WEIR_INT, VARINT},
                 [4] = {WEIR_DOUBLE, FIXED64},   [5] = {WEIR_ARRAY, BYTES}, [6] = {WEIR_KEY_VALUES, BYTES},
                 [7] = {WEIR_BYTES, BYTES},      // 8 is a number in a profile's dictionary, which there is not
                 [8] = {WEIR_EMPTY, VARINT}};
  weir_fields fields = weir_read(message);
  *value = (weir_value){WEIR_EMPTY, {NULL, 0}, 0, 0};
  while (weir_next(&fields)) {
    if (fields.number > 8) continue;
    if (fields.wire != members[fields.number].wire) return weir_fail(why, MISMATCH);
    // The last of several members stands; containers of one kind are merged.
    weir_value before = *value;
    *value = (weir_value){members[fields.number].kind, fields.bytes, (int64_t)fields.value, 0};
    switch (value->kind) {
      case WEIR_BOOL: value->integer = fields.value != 0; break;
      case WEIR_DOUBLE: memcpy(&value->number, &fields.value, 8); break;
      case WEIR_ARRAY:
      case WEIR_KEY_VALUES:
        if (before.kind == value->kind) value->bytes = weir_join(before.bytes, fields.bytes);
        break;
      default: break;
    }
  }
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

static void put_int(weir_text *text, int64_t value) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do digits[--at] = (char)('0' + left % 10);
  while (left /= 10);
  if (value < 0) weir_put(text, "-", 1);
  weir_put(text, digits + at, sizeof digits - at);
}

// The next decimal of as many digits, of one as `%e` shows it; false where it had one digit more.
static bool next_decimal(char *shown) {
  char *digit = strchr(shown, 'e') - 1;
  for (; digit >= shown && (*digit == '9' || *digit == '.'); digit--)
    if (*digit == '9') *digit = '0';
  if (digit >= shown) ++*digit;
  return digit >= shown;
}

// The shortest decimal that reads back as the same number, with a fraction or an exponent.
static void put_double(weir_text *text, double value) {
  if (isnan(value)) return weir_puts(text, "NaN");
  if (signbit(value)) weir_put(text, "-", 1);
  value = fabs(value);
  if (isinf(value)) return weir_puts(text, "Infinity");
  char shown[32];
  int precision = 0;
  // Of a power of two the numbers below lie closer than those above: the nearest decimal may be below, and read as
  // another number, where the one after it reads back.
  do snprintf(shown, sizeof shown, "%.*e", precision, value);
  while (strtod(shown, NULL) != value && !(next_decimal(shown) && strtod(shown, NULL) == value) && ++precision < 17);
  // d.ddde+xx: the digits, and where the point stands among them.
  char *e = strchr(shown, 'e');
  int exponent = atoi(e + 1);
  char digits[20];
  size_t count = 0;
  for (char *c = shown; c < e; c++)
    if (*c != '.') digits[count++] = *c;
  while (count > 1 && digits[count - 1] == '0') count--;
  if (value != 0 && (exponent < -4 || exponent >= 16)) {
    weir_put(text, digits, 1);
    if (count > 1) weir_put(text, ".", 1);
    weir_put(text, digits + 1, count - 1);
    weir_put(text, "e", 1);
    return put_int(text, exponent);
  }
  if (exponent < 0) {
    weir_puts(text, "0.");
    for (int zero = -1; zero > exponent; zero--) weir_put(text, "0", 1);
    return weir_put(text, digits, count);
  }
  for (size_t at = 0; at <= (size_t)exponent; at++) weir_put(text, at < count ? digits + at : "0", 1);
  weir_put(text, ".", 1);
  if (count > (size_t)exponent + 1) weir_put(text, digits + exponent + 1, count - exponent - 1);
  else weir_put(text, "0", 1);
}

// RFC 4648, section 4, padded.
static void put_base64(weir_text *text, weir_bytes bytes) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t at = 0; at < bytes.length; at += 3) {
    size_t there = bytes.length - at < 3 ? bytes.length - at : 3;
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; i++) bits = bits << 8 | (i < there ? bytes.at[at + i] : 0);
    char quad[4];
    for (size_t i = 0; i < 4; i++) quad[i] = i <= there ? letters[bits >> (18 - 6 * i) & 63] : '=';
    weir_put(text, quad, 4);
  }
}

// A JSON string (RFC 8259, section 7). Bytes that are not UTF-8 pass.
static void put_string(weir_text *text, weir_bytes string) {
  static const char escapes[] = {['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r',
                                 ['\t'] = 't', ['\b'] = 'b',  ['\f'] = 'f'};
  static const char hex[] = "0123456789abcdef";
  weir_put(text, "\"", 1);
  for (size_t i = 0; i < string.length; i++) {
    uint8_t c = string.at[i];
    if (c < sizeof escapes && escapes[c]) weir_put(text, (char[]){'\\', escapes[c]}, 2);
    else if (c < 0x20) weir_put(text, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    else weir_put(text, &c, 1);
  }
  weir_put(text, "\"", 1);
}

static bool put_json(weir_text *text, weir_value value, int depth, weir_text *why);

static bool put_json_of(weir_text *text, weir_bytes message, int depth, weir_text *why) {
  weir_value value;
  return weir_read_value(message, &value, why) && put_json(text, value, depth, why);
}

static bool put_array(weir_text *text, weir_bytes array, int depth, weir_text *why) {
  weir_fields fields = weir_read(array);
  bool is_first = true;
  weir_put(text, "[", 1);
  while (weir_next(&fields)) {
    if (fields.number != 1) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    if (!is_first) weir_put(text, ",", 1);
    is_first = false;
    if (!put_json_of(text, fields.bytes, depth, why)) return false;
  }
  weir_put(text, "]", 1);
  return fields.fault == NULL || weir_fail(why, fields.fault);
}

// Of entries of one key the last one stands.
static bool put_object(weir_text *text, weir_bytes list, int depth, weir_text *why) {
  size_t count = 0;
  for (weir_fields fields = weir_read(list); weir_next(&fields);) count += fields.number == 1;
  weir_attribute *entries = weir_alloc(count * sizeof *entries);
  weir_fields fields = weir_read(list);
  for (size_t at = 0; weir_next(&fields);) {
    if (fields.number != 1) continue;
    if (fields.wire != BYTES) return weir_fail(why, MISMATCH);
    if (!weir_read_attribute(fields.bytes, &entries[at++], why)) return false;
  }
  if (fields.fault) return weir_fail(why, fields.fault);
  bool is_first = true;
  weir_put(text, "{", 1);
  for (size_t at = 0; at < count; at++) {
    size_t later = at + 1;
    while (later < count && !weir_same(entries[later].key, entries[at].key)) later++;
    if (later < count) continue;
    if (!is_first) weir_put(text, ",", 1);
    is_first = false;
    put_string(text, entries[at].key);
    weir_put(text, ":", 1);
    if (!put_json_of(text, entries[at].value, depth, why)) return false;
  }
  weir_put(text, "}", 1);
  return true;
}

static bool put_json(weir_text *text, weir_value value, int depth, weir_text *why) {
  switch (value.kind) {
    case WEIR_EMPTY: weir_puts(text, "null"); return true;
    case WEIR_STRING: put_string(text, value.bytes); return true;
    case WEIR_BOOL: weir_puts(text, value.integer ? "true" : "false"); return true;
    case WEIR_INT: put_int(text, value.integer); return true;
    case WEIR_DOUBLE:
      if (!isfinite(value.number)) weir_put(text, "\"", 1);
      put_double(text, value.number);
      if (!isfinite(value.number)) weir_put(text, "\"", 1);
      return true;
    case WEIR_BYTES:
      weir_put(text, "\"", 1);
      put_base64(text, value.bytes);
      weir_put(text, "\"", 1);
      return true;
    default: break;
  }
  if (depth >= DEPTH_MAX && value.bytes.length > 0) return weir_fail(why, TOO_DEEP);
  if (value.kind == WEIR_ARRAY) return put_array(text, value.bytes, depth + 1, why);
  return put_object(text, value.bytes, depth + 1, why);
}

bool weir_put_value(weir_text *text, weir_value value, weir_text *why) {
  switch (value.kind) {
    case WEIR_EMPTY: return true;
    case WEIR_STRING: weir_put(text, value.bytes.at, value.bytes.length); return true;
    case WEIR_DOUBLE: put_double(text, value.number); return true;
    case WEIR_BYTES: put_base64(text, value.bytes); return true;
    default: return put_json(text, value, 1, why);
  }
}
