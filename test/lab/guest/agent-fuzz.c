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
