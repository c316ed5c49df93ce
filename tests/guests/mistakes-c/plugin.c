// Does what its setting `act` says: one of the mistakes that an author of plugins in C makes.
#include "weir.h"

static weir_bytes act;

static bool configure(weir_settings *settings, weir_text *why) { return weir_setting_text(settings, "act", &act, why); }

typedef bool check(weir_bytes);
// Nobody has set it.
static check *volatile nobody;

static __attribute__((noinline)) bool call_nobody(weir_bytes value) { return nobody(value); }

static __attribute__((noinline)) int read_far_away(volatile const int *at) { return *at; }

static __attribute__((noinline)) int dig(volatile int *depth) {
  volatile int here[64] = {*depth};
  return dig(here) + here[1];
}

static bool transform(const weir_message *message, weir_context *context, weir_bytes *value, weir_text *why) {
  (void)context, (void)value, (void)why;
  volatile int depth = 0;
  if (weir_is(act, "null")) return call_nobody(message->value);
  if (weir_is(act, "wild")) return read_far_away((const int *)0xf0000000) == 1;
  if (weir_is(act, "deep")) return dig(&depth) == 1;
  return true;
}

WEIR_OTLP_TO_OTLP(configure, transform)
