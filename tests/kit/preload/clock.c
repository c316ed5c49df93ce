/* A machine's clock that is set while a program runs: preloaded, it moves CLOCK_REALTIME by CLOCK_STEP seconds once the
   program has run for CLOCK_AFTER seconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int (*clock_gettime_t)(clockid_t, struct timespec *);

static clock_gettime_t real;
static long step, after;
static time_t begun;

static long number(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
  struct timespec now;
  if (!real) real = (clock_gettime_t)dlsym(RTLD_NEXT, "clock_gettime");
  real(CLOCK_MONOTONIC, &now);
  begun = now.tv_sec;
  after = number("CLOCK_AFTER");
  step = number("CLOCK_STEP");
}

int clock_gettime(clockid_t id, struct timespec *at) {
  struct timespec now;
  int failed;
  if (!real) real = (clock_gettime_t)dlsym(RTLD_NEXT, "clock_gettime");
  failed = real(id, at);
  if (failed || id != CLOCK_REALTIME || step == 0) return failed;
  real(CLOCK_MONOTONIC, &now);
  if (now.tv_sec - begun >= after) at->tv_sec += step;
  return 0;
}
