/* What a power cut would leave: preloaded, it writes down what is done to names below POWER_BELOW and what is made durable
   there, one line each in POWER_NOTES/operations, in the order in which it was done:

     made INODE PATH | removed PATH | moved OLD NEW | linked INODE NEW | folder INODE PATH
     synced INODE PATH COPY   (COPY is the file in POWER_NOTES that holds what the file held)
     kept PATH                (the names in this folder)

   Fields are separated by tabs. A step is written down when it has been done; a cut between the two is one before it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static int is_below(const char *path) {
  const char *below = getenv("POWER_BELOW");
  size_t length = below ? strlen(below) : 0;
  return length && !strncmp(path, below, length) && (path[length] == '/' || !path[length]);
}

static void note(const char *format, ...) {
  char line[9000], file[4096];
  va_list rest;
  va_start(rest, format);
  int length = vsnprintf(line, sizeof line, format, rest);
  va_end(rest);
  snprintf(file, sizeof file, "%s/operations", getenv("POWER_NOTES"));
  int notes = NEXT(open)(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (notes < 0 || length < 0 || write(notes, line, length) != length) abort();
  close(notes);
}

static unsigned long inode_of(const char *path) {
  struct stat status;
  return lstat(path, &status) ? 0 : status.st_ino;
}

/* Runs a step and its note as one, so that notes are in the order of steps. */
#define STEP(result, step, noted)              \
  do {                                         \
    pthread_mutex_lock(&order);                \
    result = (step);                           \
    int kept_errno = errno;                    \
    if (result >= 0) noted;                    \
    errno = kept_errno;                        \
    pthread_mutex_unlock(&order);              \
    return result;                             \
  } while (0)

static void note_synced(int file) {
  static unsigned long copies;
  char link[64], path[4096], copy[4096], bytes[1 << 16];
  struct stat status;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0 || fstat(file, &status)) return;
  path[length] = 0;
  if (!is_below(path)) return;
  if (S_ISDIR(status.st_mode)) {
    note("kept\t%s\n", path);
    return;
  }
  snprintf(copy, sizeof copy, "%s/%d.%lu", getenv("POWER_NOTES"), getpid(), copies++);
  /* Opened anew: the descriptor may be for writing only. */
  int from = NEXT(open)(link, O_RDONLY), to = NEXT(open)(copy, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (from < 0 || to < 0) abort();
  while ((length = read(from, bytes, sizeof bytes)) > 0)
    if (write(to, bytes, length) != length) abort();
  close(from);
  close(to);
  note("synced\t%lu\t%s\t%s\n", (unsigned long)status.st_ino, path, strrchr(copy, '/') + 1);
}

int fsync(int file) {
  int done;
  STEP(done, NEXT(fsync)(file), note_synced(file));
}

int fdatasync(int file) {
  int done;
  STEP(done, NEXT(fdatasync)(file), note_synced(file));
}

int rename(const char *old, const char *new) {
  int done;
  if (!is_below(new)) return NEXT(rename)(old, new);
  STEP(done, NEXT(rename)(old, new), note("moved\t%s\t%s\n", old, new));
}

int link(const char *old, const char *new) {
  int done;
  if (!is_below(new)) return NEXT(link)(old, new);
  STEP(done, NEXT(link)(old, new), note("linked\t%lu\t%s\n", inode_of(new), new));
}

int linkat(int at, const char *old, int into, const char *new, int flags) {
  int done;
  if (!is_below(new)) return NEXT(linkat)(at, old, into, new, flags);
  STEP(done, NEXT(linkat)(at, old, into, new, flags), note("linked\t%lu\t%s\n", inode_of(new), new));
}

int unlink(const char *path) {
  int done;
  if (!is_below(path)) return NEXT(unlink)(path);
  STEP(done, NEXT(unlink)(path), note("removed\t%s\n", path));
}

int mkdir(const char *path, mode_t mode) {
  int done;
  if (!is_below(path)) return NEXT(mkdir)(path, mode);
  STEP(done, NEXT(mkdir)(path, mode), note("folder\t%lu\t%s\n", inode_of(path), path));
}

#define OPEN(name)                                                              \
  int name(const char *path, int flags, ...) {                                  \
    va_list rest;                                                               \
    mode_t mode;                                                                \
    int file;                                                                   \
    va_start(rest, flags);                                                      \
    mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;          \
    va_end(rest);                                                               \
    if (!(flags & O_CREAT) || !is_below(path)) return NEXT(name)(path, flags, mode); \
    STEP(file, NEXT(name)(path, flags, mode), note("made\t%lu\t%s\n", inode_of(path), path)); \
  }
OPEN(open)
OPEN(open64)
