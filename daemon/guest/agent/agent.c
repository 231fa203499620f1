/*
 * tuntapd's agent in the VM. It decides nothing: it does one of four things that the Mac asks for, and says what came
 * of it. Freestanding C: no libc, no shell, no file but itself.
 *
 * It speaks in frames, over stdin and stdout: a length (4 bytes, big endian, of what follows it), a letter, a body.
 * Numbers in bodies are little endian. One request after the other, each answered by any number of data frames and one
 * last frame. Whoever sends several at once gets their answers in that order.
 *
 *   request                                               data frames            last frame
 *   N  protocol:u32  netlink message                      D  a datagram          . (status 0)
 *   X  pid:u32  ms:u32  argc:u32  words, each NUL-ended   O stdout, E stderr     . (wait status)
 *   R  path                                               D  a part of it        . (kind: 1 file, 2 folder, 3 link)
 *   A  interface:u32  an ARP frame (42 bytes)                                    . (status 0)
 *   Q                                                                            . (status 0), and it ends
 *
 * `.` status:u32. What goes wrong is answered by `!` errno:u32 and the name of what failed. A frame that makes no sense
 * ends the agent, since nothing after it can be trusted. So do the end of stdin, a minute of silence, and a minute in
 * which nobody takes its answers.
 */
#include "system.h"

enum {
  MAX_REQUEST = 64 * 1024,
  MAX_PART = 32 * 1024,
  /* PIPE_BUF: a pipe that is ready takes so much at once, though it is a blocking one. */
  MAX_WRITE = 4096,
  /* Of what one request answers in all: the rules of some thousand containers. */
  MAX_ANSWER = 4 * 1024 * 1024,
  MAX_WORDS = 64,
  MAX_DEPTH = 16,
  SILENCE_MS = 60 * 1000,
  MAX_COMMAND_MS = 30 * 1000,
  NETLINK_MS = 5 * 1000,
};
enum { FOUND_FILE = 1, FOUND_FOLDER = 2, FOUND_LINK = 3 };
enum { EXIT_OK = 0, EXIT_SILENCE = 3, EXIT_PROTOCOL = 4, EXIT_OUTPUT = 5 };

static u8 request[MAX_REQUEST + 1];
static u8 part[MAX_PART];
/* The process group of the command that runs, or 0. It never outlives the agent. */
static int running;

static void end(int status) {
  if (running > 0) call2(kill, -running, SIGKILL);
  for (;;) call1(exit_group, status);
}

/* The compiler may call these for loops and initialisers even in freestanding code. */
void *memcpy(void *to, const void *from, u64 size) {
  for (u64 i = 0; i < size; i++) ((u8 *)to)[i] = ((const u8 *)from)[i];
  return to;
}
void *memset(void *to, int value, u64 size) {
  for (u64 i = 0; i < size; i++) ((u8 *)to)[i] = (u8)value;
  return to;
}

static u32 little(const u8 *at) { return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24; }

static long now_ms(void) {
  struct timespec time = {0, 0};
  call2(clock_gettime, 1 /* CLOCK_MONOTONIC */, &time);
  return time.seconds * 1000 + time.nanoseconds / 1000000;
}

/* Waits until one of them is ready or the time is over; returns how many are. */
static long wait_for(struct pollfd *fds, u32 count, long ms) {
  struct timespec time = {ms > 0 ? ms / 1000 : 0, ms > 0 ? ms % 1000 * 1000000 : 0};
  return system_call(SYS_ppoll, (long)fds, count, (long)&time, 0, 8, 0);
}

/* Writes all of it to stdout within a minute, or ends the agent. */
static void write_all(const u8 *bytes, u32 size) {
  long deadline = now_ms() + SILENCE_MS;
  for (u32 done = 0; done < size;) {
    struct pollfd out = {1, POLLOUT, 0};
    long ready = wait_for(&out, 1, deadline - now_ms());
    if (ready == 0) end(EXIT_OUTPUT);
    if (ready < 0) continue;
    u32 rest = size - done;
    long written = call3(write, 1, bytes + done, rest < MAX_WRITE ? rest : MAX_WRITE);
    if (written > 0) done += (u32)written;
    else if (written != -EINTR && written != -EAGAIN) end(EXIT_OUTPUT);
  }
}

static void frame(u8 letter, const u8 *body, u32 size) {
  u32 length = size + 1;
  u8 head[5] = {(u8)(length >> 24), (u8)(length >> 16), (u8)(length >> 8), (u8)length, letter};
  write_all(head, sizeof head);
  write_all(body, size);
}

static void done(u32 status) {
  u8 body[4] = {(u8)status, (u8)(status >> 8), (u8)(status >> 16), (u8)(status >> 24)};
  frame('.', body, sizeof body);
}

/* `error` is negative, as the kernel returns it. */
static void failed(long error, const char *what) {
  u8 body[64];
  u32 number = (u32)-error, size = 4;
  for (u32 i = 0; i < 4; i++) body[i] = (u8)(number >> (8 * i));
  while (*what && size < sizeof body) body[size++] = (u8)*what++;
  frame('!', body, size);
}

/* Reads exactly so many bytes of stdin, or ends the agent. */
static void read_all(u8 *to, u32 size) {
  for (u32 got = 0; got < size;) {
    struct pollfd in = {0, POLLIN, 0};
    if (wait_for(&in, 1, SILENCE_MS) == 0) end(EXIT_SILENCE);
    long bytes = call3(read, 0, to + got, size - got);
    if (bytes == -EINTR || bytes == -EAGAIN) continue;
    if (bytes <= 0) end(EXIT_OK);
    got += (u32)bytes;
  }
}

/* Sends one netlink message and passes on each datagram that answers it, up to an acknowledgement or the end of a dump. */
static void netlink(const u8 *body, u32 size) {
  if (size < 4 + 16) return failed(-EINVAL, "netlink");
  int fd = (int)call3(socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, little(body));
  if (fd < 0) return failed(fd, "socket");
  /* struct sockaddr_nl of the kernel: a family, and nothing. */
  u8 kernel[12] = {AF_NETLINK};
  long result = call6(sendto, fd, body + 4, size - 4, 0, kernel, sizeof kernel);
  if (result < 0) {
    call1(close, fd);
    return failed(result, "sendto");
  }
  long deadline = now_ms() + NETLINK_MS;
  u32 total = 0;
  for (int more = 1; more;) {
    struct pollfd in = {fd, POLLIN, 0};
    long left = deadline - now_ms();
    if (left <= 0 || wait_for(&in, 1, left) == 0) {
      result = -ETIMEDOUT;
      break;
    }
    result = call6(recvfrom, fd, part, sizeof part, 0x20 /* MSG_TRUNC: the whole length */, 0, 0);
    if (result == -EINTR) continue;
    if (result < 0) break;
    total += (u32)result;
    if ((u32)result > sizeof part || total > MAX_ANSWER) {
      result = -EFBIG;
      break;
    }
    u32 length = (u32)result;
    frame('D', part, length);
    /* struct nlmsghdr: length:u32 type:u16 … */
    for (u32 at = 0; at + 16 <= length;) {
      u32 message = little(part + at), type = part[at + 4] | part[at + 5] << 8;
      if (type == NLMSG_ERROR || type == NLMSG_DONE) more = 0;
      if (message < 16 || message > length - at) break;
      at += (message + 3) & ~3u;
    }
  }
  call1(close, fd);
  if (result < 0) return failed(result, "netlink");
  done(0);
}

/* What the new process does: enters the mount namespace and becomes the command. Reports why it could not on `report`. */
static void become(int space, const int out[2], const int err[2], int report, char **words) {
  u64 usual[4] = {0, 0, 0, 0};
  call4(rt_sigaction, SIGPIPE, usual, 0, 8);
  call0(setsid);
  /* setns(2) wants a process that shares its folder with no thread: an emulator of another processor has some. */
  call1(unshare, CLONE_FS);
  long result = call2(setns, space, CLONE_NEWNS);
  if (result == 0) {
    call1(chdir, "/");
    int null = (int)call4(openat, AT_FDCWD, "/dev/null", 0, 0);
    if (null >= 0) call3(dup3, null, 0, 0);
    else call1(close, 0);
    call3(dup3, out[1], 1, 0);
    call3(dup3, err[1], 2, 0);
    char **environment = words;
    while (*environment++);
    result = call3(execve, words[0], words, environment);
  }
  u8 error = (u8)-result;
  call3(write, report, &error, 1);
  call1(exit_group, 127);
}

/* Passes on what a pipe holds; returns 0 at its end. */
static int pass_on(int fd, u8 letter, u32 *total) {
  long bytes = call3(read, fd, part, sizeof part);
  if (bytes == -EINTR || bytes == -EAGAIN) return 1;
  if (bytes <= 0) return 0;
  *total += (u32)bytes;
  frame(letter, part, (u32)bytes);
  return 1;
}

static void close_both(const int ends[2]) {
  if (ends[0] >= 0) call1(close, ends[0]);
  if (ends[1] >= 0) call1(close, ends[1]);
}

/* Runs a command in the mount namespace of a process; what it says is passed on as it comes. */
static void run(u8 *body, u32 size) {
  if (size < 12) return failed(-EINVAL, "run");
  u32 pid = little(body), ms = little(body + 4), count = little(body + 8);
  if (ms > MAX_COMMAND_MS) ms = MAX_COMMAND_MS;
  /* argv, NULL, environment, NULL. */
  char *words[MAX_WORDS + 2];
  u32 found = 0;
  for (u32 at = 12; at < size;) {
    u32 start = at;
    while (at < size && body[at]) at++;
    if (at == size || found == MAX_WORDS) return failed(-EINVAL, "words");
    words[found + (found >= count)] = (char *)body + start;
    found++;
    at++;
  }
  if (count == 0 || found < count) return failed(-EINVAL, "words");
  words[count] = 0;
  words[found + 1] = 0;

  /* /proc/PID/ns/mnt */
  char path[32] = "/proc/", digits[10];
  u32 length = 6, digit = 0;
  do digits[digit++] = (char)('0' + pid % 10);
  while (pid /= 10);
  while (digit) path[length++] = digits[--digit];
  memcpy(path + length, "/ns/mnt", 8);
  int space = (int)call4(openat, AT_FDCWD, path, O_CLOEXEC, 0);
  if (space < 0) return failed(space, "open ns/mnt");

  int out[2] = {-1, -1}, err[2] = {-1, -1}, report[2] = {-1, -1};
  long child = call2(pipe2, out, O_CLOEXEC);
  if (child == 0) child = call2(pipe2, err, O_CLOEXEC);
  if (child == 0) child = call2(pipe2, report, O_CLOEXEC);
  if (child == 0) child = call6(clone, SIGCHLD, 0, 0, 0, 0, 0);
  if (child == 0) become(space, out, err, report[1], words);
  call1(close, space);
  if (out[1] >= 0) call1(close, out[1]);
  if (err[1] >= 0) call1(close, err[1]);
  if (report[1] >= 0) call1(close, report[1]);
  out[1] = err[1] = report[1] = -1;
  if (child < 0) {
    close_both(out);
    close_both(err);
    close_both(report);
    return failed(child, "clone");
  }

  running = (int)child;
  long deadline = now_ms() + ms, error = 0;
  u32 total = 0;
  int status = 0, isOver = 0;
  u8 reason = 0;
  /* Until it has ended and said all. Whoever inherited its pipes and lives on is not waited for. */
  struct pollfd fds[4] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {report[0], POLLIN, 0}, {0, 0, 0}};
  while (error == 0) {
    if (!isOver) isOver = call4(wait4, child, &status, WNOHANG, 0) == child;
    long left = deadline - now_ms();
    if (left <= 0) {
      error = -ETIMEDOUT;
      break;
    }
    if (isOver) left = 0;
    else if (left > 20 && fds[0].fd < 0 && fds[1].fd < 0) left = 5;
    else if (left > 100) left = 100;
    long ready = wait_for(fds, 4, left);
    if (ready == 0 && isOver) break;
    if (ready < 0) continue;
    if (fds[3].revents & (POLLHUP | POLLERR)) end(EXIT_OK);
    if (fds[0].revents && !pass_on(out[0], 'O', &total)) fds[0].fd = -1;
    if (fds[1].revents && !pass_on(err[0], 'E', &total)) fds[1].fd = -1;
    if (fds[2].revents) {
      call3(read, report[0], &reason, 1);
      fds[2].fd = -1;
    }
    if (total > MAX_ANSWER) error = -EFBIG;
    for (u32 i = 0; i < 4; i++) fds[i].revents = 0;
  }
  call2(kill, -child, SIGKILL);
  call2(kill, child, SIGKILL);
  /* One that the kernel cannot end now is left to the container's end. */
  for (u32 tries = 0; !isOver && tries < 100; tries++) {
    isOver = call4(wait4, child, &status, WNOHANG, 0) == child;
    if (!isOver) wait_for(0, 0, 10);
  }
  running = 0;
  close_both(out);
  close_both(err);
  close_both(report);
  if (error) return failed(error, "run");
  if (reason) return failed(-(long)reason, "exec");
  done((u32)status);
}

static int is_within(const u8 *path, const char *folder) {
  while (*folder)
    if (*path++ != (u8)*folder++) return 0;
  return *path == '/' || *path == 0;
}

/* struct linux_dirent64: inode:u64 offset:u64 length:u16 type:u8 name … */
static long pass_on_names(int fd) {
  u32 total = 0;
  for (;;) {
    u8 entries[8192];
    long bytes = call3(getdents64, fd, entries, sizeof entries);
    if (bytes <= 0) return bytes;
    u32 size = 0;
    for (long at = 0; at < bytes; at += entries[at + 16] | entries[at + 17] << 8)
      for (const u8 *name = entries + at + 19;; name++) {
        part[size++] = *name;
        if (!*name) break;
      }
    total += size;
    if (total > MAX_ANSWER) return -EFBIG;
    frame('D', part, size);
  }
}

static long pass_on_file(int fd) {
  long bytes;
  u32 total = 0;
  /* Some files of /proc have no end that comes by itself (kmsg, pagemap). */
  struct pollfd in = {fd, POLLIN, 0};
  while (wait_for(&in, 1, 0) > 0 && (bytes = call3(read, fd, part, sizeof part)) != 0) {
    if (bytes == -EINTR) continue;
    if (bytes < 0) return bytes;
    total += (u32)bytes;
    if (total > MAX_ANSWER) return -EFBIG;
    frame('D', part, (u32)bytes);
  }
  return 0;
}

/*
 * What a path below /proc or /sys holds: a file's bytes, a folder's names or where a link leads. No link is followed
 * on the way, so nothing else can be read: /proc/1/root is one.
 */
static void look(u8 *path) {
  if (!is_within(path, "/proc") && !is_within(path, "/sys")) return failed(-EINVAL, "path");
  u8 *name = path + 1;
  int folder = (int)call4(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  for (u32 depth = 0; folder >= 0; depth++) {
    u8 *slash = name;
    while (*slash && *slash != '/') slash++;
    int isLast = *slash == 0;
    *slash = 0;
    int isClimbing = name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
    if (isClimbing || name[0] == 0 || depth == MAX_DEPTH) {
      call1(close, folder);
      return failed(-EINVAL, "path");
    }
    if (!isLast) {
      int next = (int)call4(openat, folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
      call1(close, folder);
      folder = next;
      name = slash + 1;
      continue;
    }
    long kind, result;
    int fd = (int)call4(openat, folder, name, O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd == -ELOOP) {
      kind = FOUND_LINK;
      result = call4(readlinkat, folder, name, part, sizeof part);
      if (result > 0) frame('D', part, (u32)result);
    } else if (fd < 0) {
      kind = 0;
      result = fd;
    } else {
      kind = FOUND_FOLDER;
      result = pass_on_names(fd);
      if (result == -ENOTDIR) {
        kind = FOUND_FILE;
        result = pass_on_file(fd);
      }
      call1(close, fd);
    }
    call1(close, folder);
    if (result < 0) return failed(result, "read");
    return done((u32)kind);
  }
  failed(folder, "open");
}

/* Sends an ARP frame as it is out of an interface. Nothing but ARP: any other frame is refused. */
static void announce(const u8 *body, u32 size) {
  if (size != 4 + 42 || body[4 + 12] != 0x08 || body[4 + 13] != 0x06) return failed(-EINVAL, "announce");
  int fd = (int)call3(socket, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(fd, "socket");
  /* struct sockaddr_ll: family:u16 protocol:u16 interface:u32 … */
  u8 to[20] = {AF_PACKET, 0, 0x08, 0x06};
  memcpy(to + 4, body, 4);
  long result = call6(sendto, fd, body + 4, 42, 0, to, sizeof to);
  call1(close, fd);
  if (result < 0) return failed(result, "sendto");
  done(0);
}

__attribute__((used, noreturn)) void start(void) {
  /* A reader that goes is an error of write, not a signal: struct sigaction with SIG_IGN. */
  u64 ignore[4] = {1, 0, 0, 0};
  call4(rt_sigaction, SIGPIPE, ignore, 0, 8);
  for (;;) {
    u8 head[4];
    read_all(head, sizeof head);
    u32 length = (u32)head[0] << 24 | (u32)head[1] << 16 | (u32)head[2] << 8 | head[3];
    if (length == 0 || length > MAX_REQUEST) end(EXIT_PROTOCOL);
    read_all(request, length);
    request[length] = 0;
    u8 *body = request + 1;
    u32 size = length - 1;
    switch (request[0]) {
      case 'N': netlink(body, size); break;
      case 'X': run(body, size); break;
      case 'R': look(body); break;
      case 'A': announce(body, size); break;
      case 'Q': done(0); end(EXIT_OK); break;
      default: end(EXIT_PROTOCOL);
    }
  }
}

ENTRY;
