/* A disk that is full for a while: preloaded, it lets no file below DISK_BELOW be made or grow as long as the file
   DISK_FULL exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_below(const char *path) {
  const char *below = getenv("DISK_BELOW");
  return below && !strncmp(path, below, strlen(below));
}

static int is_full(void) {
  const char *full = getenv("DISK_FULL");
  return full && access(full, F_OK) == 0;
}

static int refuses_path(const char *path) {
  int before = errno, refuses = is_below(path) && is_full();
  errno = refuses ? ENOSPC : before;
  return refuses;
}

static int refuses(int file) {
  char link[64], path[4096];
  int before = errno;
  ssize_t length;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length <= 0) return 0;
  path[length] = 0;
  return refuses_path(path);
}

ssize_t write(int file, const void *bytes, size_t count) {
  return refuses(file) ? -1 : NEXT(write)(file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  return refuses(file) ? -1 : NEXT(writev)(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  return refuses(file) ? -1 : NEXT(pwrite)(file, bytes, count, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  return refuses(file) ? -1 : NEXT(pwrite64)(file, bytes, count, at);
}

#define OPEN(name)                                                    \
  int name(const char *path, int flags, ...) {                        \
    va_list rest;                                                     \
    mode_t mode;                                                      \
    va_start(rest, flags);                                            \
    mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                     \
    if ((flags & O_CREAT) && refuses_path(path)) return -1;           \
    return NEXT(name)(path, flags, mode);                             \
  }
OPEN(open)
OPEN(open64)
