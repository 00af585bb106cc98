# Takes a file's lock and keeps it: hold.py FILE
import os
import sys
from datetime import timedelta

from flufl.lock import Lock

path = sys.argv[1]
lock = os.path.join(os.path.dirname(path), "." + os.path.basename(path) + ".lock")
with Lock(lock, lifetime=timedelta(weeks=52)):
    print("locked", flush=True)
    sys.stdin.read()
