"""`python -m notifybot` is the command `notifybot`."""

import sys

from notifybot.cli import main

if __name__ == "__main__":
    sys.exit(main())
