/* The agent as an ordinary program with a libc, so that sanitizers can watch it. */
#include "../../../daemon/guest/agent/system.h"
#undef ENTRY
#define ENTRY _Static_assert(1, "main calls start")
#define start agent_start
/* The sanitizer has its own. */
#define memcpy agent_memcpy
#define memset agent_memset
#include "../../../daemon/guest/agent/agent.c"

int main(void) { agent_start(); }

#ifdef WITHOUT_CRT
/* For a compiler that has the C library beside it, but not the objects that start a program with one. */
int __libc_start_main(int (*)(void), int, char **, void *, void *, void *, void *);
__attribute__((used, noreturn)) static void begin(long *stack) {
  __libc_start_main(main, (int)stack[0], (char **)(stack + 1), 0, 0, 0, stack);
  __builtin_unreachable();
}
__asm__(".globl _start\n_start: mov x29, xzr\n mov x0, sp\n bl begin\n");
#endif
