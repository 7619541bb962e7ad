"""`python -m claude_pool.adapters.owner`: own the pool that standard input describes."""

import sys

from .process import main

if __name__ == "__main__":
    sys.exit(main())
