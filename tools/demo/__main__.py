"""Run the demo without the command line's other verbs."""

import sys

from lading.tools.demo.play import main

if __name__ == "__main__":
    sys.exit(main())
