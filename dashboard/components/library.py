"""plotly.js as the browser gets it: straight out of the installed package, so that nothing is copied or fetched."""

from __future__ import annotations

from pathlib import Path

import plotly

# The name carries the version, so that a browser's copy of another version is never used.
ADDRESS = f"app/library/plotly-{plotly.__version__}.min.js"  # below the app's base path


def find_library() -> Path:
    """Return the path of plotly.min.js (4.8 MB)."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
