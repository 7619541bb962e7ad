"""`python -m claude_pool.adapters.cli` is `claude-pool`."""

from __future__ import annotations

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main())
