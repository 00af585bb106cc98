# Counts in a file under its lock, as cosa locks builds.json: count.py FILE N
import os
import random
import sys
import time
from datetime import timedelta

from flufl.lock import Lock

# The library waits a second on average; the protocol does not depend on it.
Lock._sleep = lambda self: time.sleep(random.random() * 0.02)

path = sys.argv[1]
lock = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".lock")
for _ in range(int(sys.argv[2])):
    with Lock(lock, lifetime=timedelta(weeks=52)):
        with open(path) as f:
            n = int(f.read())
        with open(path, "w") as f:
            f.write(str(n + 1))
