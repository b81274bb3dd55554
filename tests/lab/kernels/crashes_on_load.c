/* A library that does not survive its loading. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void Begin(void) {
  fprintf(stderr, "no licence\n");
  abort();
}
