"""``python -m muse_nb`` is ``muse-nb``."""

from __future__ import annotations

import sys

from muse_nb.cli import main

sys.exit(main())
