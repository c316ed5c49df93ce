// Removes or hashes attributes by name, before there are rows, on all levels: ../redact-attributes in C.
//
// `drop = ["user.email"]` removes them. `hash = ["user.id"]` puts the sha256 of their text, in hex, in its place.
#include "sha256.h"
#include "weir.h"

static weir_list drop, hash;

static bool contains(weir_list names, weir_bytes key) {
  for (size_t i = 0; i < names.length; i++)
    if (weir_same(names.at[i], key)) return true;
  return false;
}

static bool configure(weir_settings *settings, weir_text *why) {
  weir_setting_list(settings, "drop", &drop);
  weir_setting_list(settings, "hash", &hash);
  if (drop.length + hash.length == 0)
    return weir_fail(why, "setting `drop` or `hash` says which attributes to redact; there is neither");
  for (size_t i = 0; i < drop.length; i++)
    if (contains(hash, drop.at[i]))
      return weir_fail(why, "`", weir_string(drop.at[i]), "` is both in `drop` and in `hash`");
  return true;
}

static bool redact(weir_level level, const weir_attribute *attribute, weir_change *change, void *context,
                   weir_text *why) {
  (void)level;
  if (contains(drop, attribute->key)) {
    weir_count_record(context, "attributes_dropped", 1);
    change->what = WEIR_DROP;
  } else if (contains(hash, attribute->key)) {
    weir_count_record(context, "attributes_hashed", 1);
    weir_value value;
    weir_text text = {0};
    if (!weir_read_value(attribute->value, &value, why) || !weir_put_value(&text, value, why)) return false;
    uint8_t *hex = weir_alloc(SHA256_HEX);
    sha256_hex(text.at, text.length, hex);
    *change = (weir_change){WEIR_SET, {hex, SHA256_HEX}};
  }
  return true;
}

static bool transform(const weir_message *message, weir_context *context, weir_bytes *value, weir_text *why) {
  return weir_edit_attributes(context->signal, message->value, redact, context, value, why);
}

WEIR_OTLP_TO_OTLP(configure, transform)
