"""``python -m chatd.admin``."""

from __future__ import annotations

import sys

from chatd.admin.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
