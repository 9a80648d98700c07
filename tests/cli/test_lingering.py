"""Who says that it ends, and waits for what never comes."""

from pathlib import Path

import pytest

from cli import lingering

UP = "4711\n{place}\n1795881234\n7432\n\n127.0.0.1\n 123 4\n{state}\n"  # as PostgreSQL 18 writes it


@pytest.mark.parametrize("moved", [False, True], ids=["at home", "moved"])
def test_postgres_ends_once_its_pid_file_says_so(tmp_path: Path, *, moved: bool) -> None:
    cluster = tmp_path / ("elsewhere" if moved else "postgres")
    cluster.mkdir()
    if moved:
        (tmp_path / "postgres.moved").write_text(f"{cluster}\n")
    lingers = lingering.postgres(tmp_path)
    assert not lingers()
    for state, ends in (("starting", False), ("ready   ", False), ("stopping", True)):
        (cluster / "postmaster.pid").write_text(UP.format(place=cluster, state=state))
        assert lingers() is ends
