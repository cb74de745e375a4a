"""The command `weakspot`: makes sure that `core` and `dashboard` are ours, then hands over to them."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Installed, both lie inside this package, so that another package of so common a name is not in the way; in a checkout
# they lie beside it.
HOUSE = HERE if (HERE / "core").is_dir() else HERE.parent


def main() -> int:
    """Run one command; return its exit code."""
    sys.path.insert(0, str(HOUSE))
    from core.__main__ import main as run_command
    from dashboard.__main__ import add_run_command

    return run_command(prog="weakspot", add_first=add_run_command)


if __name__ == "__main__":
    sys.exit(main())
