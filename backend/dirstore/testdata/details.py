# Tells what the library reads from a lock: details.py LOCKFILE
import sys

from flufl.lock import Lock

lock = Lock(sys.argv[1])
print(*lock.details, lock.state.name)
