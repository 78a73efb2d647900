"""`python -m a2e_async`: the same as the command `a2e`."""

import sys

from a2e_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
