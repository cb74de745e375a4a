"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UserError
from core.files import write_rows


def test_a_table_that_cannot_be_written_says_where_and_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.table\.csv: cannot be written \(No such file or directory\)"):
        write_rows(tmp_path / "gone" / "table.csv", ("name",), [])
