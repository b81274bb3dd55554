/* A library whose loading never ends. */
#include <unistd.h>

__attribute__((constructor)) static void Begin(void) {
  for (;;) pause();
}
