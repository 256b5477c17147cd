/*
 * Preloaded with LD_PRELOAD, it makes calls on files below a folder fail while a flag file says so. What node does with
 * files goes through these functions of the C library.
 *
 * DISK_FAULT_FOLDER: the folder, as the kernel writes it. DISK_FAULT_FLAG: the flag file, outside of it; a line for each
 * kind of call that fails: `write ENOSPC`, `short-write ENOSPC` (the first half is written, as when a disk fills up),
 * `sync EIO`, `create ENOSPC`, `read EIO`, `bulk-read EIO` (of more than a page), `unlink EIO`, `rename EIO`, `truncate EIO`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int below(const char *path) {
  const char *folder = getenv("DISK_FAULT_FOLDER");
  if (folder == NULL || path == NULL) return 0;
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 && path[length] == '/';
}

static int below_fd(int fd) {
  char link[40], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return below(path);
}

/* The error that this kind of call is to fail with; 0: none. */
static int error_of(const char *kind) {
  const char *flag = getenv("DISK_FAULT_FLAG");
  if (flag == NULL) return 0;
  int fd = syscall(SYS_openat, AT_FDCWD, flag, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512];
  ssize_t length = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  if (length <= 0) return 0;
  text[length] = 0;
  for (char *rest, *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    size_t size = strlen(kind);
    if (strncmp(line, kind, size) != 0 || line[size] != ' ') continue;
    const char *name = line + size + 1;
    if (strcmp(name, "ENOSPC") == 0) return ENOSPC;
    if (strcmp(name, "EROFS") == 0) return EROFS;
    return EIO;
  }
  return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(condition, kind)               \
  if (condition) {                          \
    int error = error_of(kind);             \
    if (error != 0) return errno = error, -1; \
  }

/* Whether only the first half is to be written: then the disk is full, and nothing more is until the flag is gone. */
static int halves(void) {
  static int full;
  int error = error_of("short-write");
  if (error == 0) return full = 0;
  if (!full) return full = 1;
  errno = error;
  return -1;
}

#define WRITE(signature, whole, half)          \
  signature {                                  \
    if (below_fd(fd)) {                        \
      FAIL(1, "write")                         \
      int part = halves();                   \
      if (part < 0) return -1;                 \
      if (part > 0) return half;               \
    }                                          \
    return whole;                              \
  }

WRITE(ssize_t write(int fd, const void *data, size_t size), REAL(write)(fd, data, size), REAL(write)(fd, data, (size + 1) / 2))
WRITE(ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at), REAL(pwrite64)(fd, data, size, at),
      REAL(pwrite64)(fd, data, (size + 1) / 2, at))
WRITE(ssize_t writev(int fd, const struct iovec *parts, int count), REAL(writev)(fd, parts, count),
      REAL(write)(fd, parts[0].iov_base, (parts[0].iov_len + 1) / 2))
WRITE(ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at), REAL(pwritev64)(fd, parts, count, at),
      REAL(pwrite64)(fd, parts[0].iov_base, (parts[0].iov_len + 1) / 2, at))

int fsync(int fd) {
  FAIL(below_fd(fd), "sync")
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  FAIL(below_fd(fd), "sync")
  return REAL(fdatasync)(fd);
}

ssize_t read(int fd, void *data, size_t size) {
  FAIL(below_fd(fd), "read")
  return REAL(read)(fd, data, size);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
  FAIL(below_fd(fd), "read")
  FAIL(size > 4096 && below_fd(fd), "bulk-read")
  return REAL(pread64)(fd, data, size, at);
}

ssize_t preadv64(int fd, const struct iovec *parts, int count, off64_t at) {
  FAIL(below_fd(fd), "read")
  return REAL(preadv64)(fd, parts, count, at);
}

int ftruncate64(int fd, off64_t length) {
  FAIL(below_fd(fd), "truncate")
  return REAL(ftruncate64)(fd, length);
}

int unlink(const char *path) {
  FAIL(below(path), "unlink")
  return REAL(unlink)(path);
}

int rename(const char *from, const char *to) {
  FAIL(below(from), "rename")
  return REAL(rename)(from, to);
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  FAIL((flags & O_CREAT) && below(path), "create")
  return REAL(open64)(path, flags, mode);
}
