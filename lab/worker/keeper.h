// The keeper of a worker: it holds no foreign code, so what it says of the worker can be believed.
#pragma once

#include <sys/types.h>

namespace touchstone::lab {

// To be called before the worker is forked: from now on orphans of this process's descendants
// become its children, and the end of a child wakes it.
void BecomeKeeper();

// In the worker, just after the fork: undoes what it inherits from the keeper, leads a group of its
// own, takes in the orphans of what it starts, and dies with the keeper.
void LeaveKeeper(pid_t keeper);

// Keeps what the worker prints into `output` (its end), and answers the lab's orders, until the
// worker ends or the lab orders it or goes away. Then kills whatever the worker started, except
// what is faster at forking than this is at killing. Returns the exit code of the program.
int Keep(pid_t worker, int output, int control);

}  // namespace touchstone::lab
