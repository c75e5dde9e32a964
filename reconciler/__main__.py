"""``python -m reconciler``: see :mod:`reconciler.cli`."""

import sys

from reconciler.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
