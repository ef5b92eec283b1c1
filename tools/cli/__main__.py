"""`python -m lading.tools.cli`: the command line."""

import sys

from lading.tools.cli import main

if __name__ == "__main__":
    sys.exit(main())
