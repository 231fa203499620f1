/* The kernel without a libc: entry, system calls and the few constants of Linux that the agent needs. */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#if defined(__x86_64__)
enum {
  SYS_read = 0, SYS_write = 1, SYS_close = 3, SYS_sendto = 44, SYS_recvfrom = 45, SYS_socket = 41, SYS_clone = 56,
  SYS_execve = 59, SYS_exit_group = 231, SYS_wait4 = 61, SYS_kill = 62, SYS_chdir = 80, SYS_setsid = 112,
  SYS_getdents64 = 217, SYS_clock_gettime = 228, SYS_openat = 257, SYS_readlinkat = 267, SYS_ppoll = 271,
  SYS_dup3 = 292, SYS_pipe2 = 293, SYS_setns = 308, SYS_unshare = 272, SYS_rt_sigaction = 13,
};
/* struct open flags that differ between the two architectures (asm/fcntl.h). */
enum { O_DIRECTORY = 0200000, O_NOFOLLOW = 0400000 };

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#define ENTRY __asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call start\n")

#elif defined(__aarch64__)
enum {
  SYS_read = 63, SYS_write = 64, SYS_close = 57, SYS_sendto = 206, SYS_recvfrom = 207, SYS_socket = 198,
  SYS_clone = 220, SYS_execve = 221, SYS_exit_group = 94, SYS_wait4 = 260, SYS_kill = 129, SYS_chdir = 49,
  SYS_setsid = 157, SYS_getdents64 = 61, SYS_clock_gettime = 113, SYS_openat = 56, SYS_readlinkat = 78,
  SYS_ppoll = 73, SYS_dup3 = 24, SYS_pipe2 = 59, SYS_setns = 268, SYS_unshare = 97, SYS_rt_sigaction = 134,
};
enum { O_DIRECTORY = 040000, O_NOFOLLOW = 0100000 };

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#define ENTRY __asm__(".globl _start\n_start: mov x29, xzr\n bl start\n")

#else
#error "The agent knows amd64 and arm64."
#endif

#define call0(n) system_call(SYS_##n, 0, 0, 0, 0, 0, 0)
#define call1(n, a) system_call(SYS_##n, (long)(a), 0, 0, 0, 0, 0)
#define call2(n, a, b) system_call(SYS_##n, (long)(a), (long)(b), 0, 0, 0, 0)
#define call3(n, a, b, c) system_call(SYS_##n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define call4(n, a, b, c, d) system_call(SYS_##n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define call6(n, a, b, c, d, e, f) \
  system_call(SYS_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

enum { O_CLOEXEC = 02000000, O_PATH = 010000000, O_NONBLOCK = 04000, AT_FDCWD = -100 };
enum { EINTR = 4, EAGAIN = 11, ENOTDIR = 20, EINVAL = 22, EFBIG = 27, ELOOP = 40, ETIMEDOUT = 110 };
enum { POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16 };
enum { AF_NETLINK = 16, AF_PACKET = 17, SOCK_RAW = 3, SOCK_CLOEXEC = O_CLOEXEC };
enum { NLMSG_ERROR = 2, NLMSG_DONE = 3 };
enum { CLONE_FS = 0x200, CLONE_NEWNS = 0x20000, SIGCHLD = 17, SIGKILL = 9, SIGPIPE = 13, WNOHANG = 1 };

struct pollfd {
  int fd;
  u16 events, revents;
};
struct timespec {
  long seconds, nanoseconds;
};
