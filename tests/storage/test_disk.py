"""What a folder vault asks of a file system, asked of the real one and of the one in memory."""

from pathlib import Path

import pytest

from services.storage.disk import LocalDisk
from tests.storage.memory_disk import MemoryDisk


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path):
    """A disk, and an empty folder on it."""
    if request.param == "local":
        return LocalDisk(tmp_path), tmp_path
    disk = MemoryDisk()
    disk.make_folder(Path("/vault"))
    return disk, Path("/vault")


def write(disk, path, *pieces):
    handle = disk.create(path)
    disk.write(handle, pieces)
    disk.start(handle)
    disk.sync(handle)
    disk.close(handle)


def content(disk, path):
    handle = disk.open(path)
    try:
        return disk.read(handle, 0, 1000)
    finally:
        disk.close(handle)


def test_what_is_written_is_read_from_anywhere(place):
    disk, root = place
    write(disk, root / "a", b"light", b"", b"house")
    handle = disk.open(root / "a")
    assert [disk.read(handle, 0, 5), disk.read(handle, 5, 99), disk.read(handle, 10, 9)] == [
        b"light",
        b"house",
        b"",
    ]
    disk.close(handle)
    assert disk.size(root / "a") == 10


def test_what_is_in_memory_is_read_at_once_and_exactly_or_not_at_all(place):
    disk, root = place
    write(disk, root / "a", b"lighthouse")
    handle = disk.open(root / "a")
    assert disk.read_cached(handle, 5, 5) in (b"house", None)  # None where it cannot be told
    assert disk.read_cached(handle, 5, 6) is None
    disk.close(handle)


def test_a_new_file_never_takes_anothers_name(place):
    disk, root = place
    write(disk, root / "a", b"first")
    with pytest.raises(FileExistsError):
        disk.create(root / "a")
    assert content(disk, root / "a") == b"first"


def test_a_rename_takes_the_place_of_what_had_the_name(place):
    disk, root = place
    write(disk, root / "a", b"new")
    write(disk, root / "b", b"old")
    disk.rename(root / "a", root / "b")
    disk.sync_folder(root)
    assert disk.entries(root) == ["b"]
    assert content(disk, root / "b") == b"new"


def test_an_open_file_outlives_its_name(place):
    disk, root = place
    write(disk, root / "a", b"still here")
    handle = disk.open(root / "a")
    disk.remove(root / "a")
    assert disk.read(handle, 0, 100) == b"still here"
    disk.close(handle)


def test_what_is_not_there_is_none(place):
    disk, root = place
    disk.remove(root / "nothing")
    assert disk.size(root / "nothing") is None
    assert disk.entries(root / "nowhere") == []
    with pytest.raises(FileNotFoundError):
        disk.open(root / "nothing")


def test_a_folder_is_made_with_its_parents_and_again(place):
    disk, root = place
    for _ in range(2):
        disk.make_folder(root / "a" / "b")
    write(disk, root / "a" / "b" / "c", b"deep")
    handle = disk.hold_folder(root / "a" / "b")
    disk.sync(handle)
    disk.close(handle)
    assert disk.entries(root / "a" / "b") == ["c"]
    assert disk.free() > 0


def test_a_power_cut_leaves_what_was_synced_and_perhaps_more():
    disk = MemoryDisk()
    disk.make_folder(Path("/v"))
    disk.sync_folder(Path("/"))
    write(disk, Path("/v/kept"), b"synced")
    disk.sync_folder(Path("/v"))
    write(disk, Path("/v/nameless"), b"synced, but its name is not")
    handle = disk.create(Path("/v/torn"))
    disk.write(handle, [b"never synced"])

    after = [disk.after_power_cut(seed) for seed in range(50)]

    assert {content(each, Path("/v/kept")) for each in after} == {b"synced"}
    assert {each.size(Path("/v/nameless")) for each in after} == {None, 27}
    assert len({each.size(Path("/v/torn")) for each in after}) > 4


def test_the_lock_tells_who_is_alone(tmp_path):
    first, second, third = (LocalDisk(tmp_path) for _ in range(3))
    assert first.lock(tmp_path / "lock")
    first.share()
    assert not second.lock(tmp_path / "lock")
    assert not third.lock(tmp_path / "lock")
    for disk in (first, second, third):
        disk.unlock()
    assert first.lock(tmp_path / "lock")
    first.unlock()
