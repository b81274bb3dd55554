"""How long the commands of a test may take: some times longer under the sanitizers, as
tests/CMakeLists.txt says to every test in the environment."""

import os

FACTOR = float(os.environ.get("TOUCHSTONE_TIME_FACTOR", "1"))


def stretched(seconds):
    return seconds * FACTOR
