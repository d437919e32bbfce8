"""`python -m chatd [options]` is `twistd -n chatd [options]`."""

import sys

from twisted.scripts.twistd import run

if __name__ == "__main__":
    sys.argv[:1] = ["twistd", "-n", "chatd"]
    run()
