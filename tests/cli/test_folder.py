"""The data folder: one stack at a time, no newer format, secrets made once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.settings import Secret
from cli.folder import Busy, CannotUse, Folder
from tests.postgres import temporary_data

NONE = Secret("")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "data")
    found.prepare()
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
@pytest.mark.parametrize(("mode", "words"), [(0o700, "another user"), (0o500, "chmod u+rwx")])
def test_a_part_that_cannot_be_used_is_told_with_what_keeps_us_out(mode: int, words: str) -> None:
    """Root may do anything, so somebody else looks: at root's folder, and at his own."""
    nobody = 65534
    with temporary_data() as data:
        folder = Folder(data)
        folder.prepare()
        for path in (folder.logs, folder.secrets):
            path.chmod(0o777)
        folder.seats.chmod(mode)
        if mode != 0o700:
            os.chown(folder.seats, nobody, nobody)
        reader, writer = os.pipe()
        if not (child := os.fork()):  # what is loaded is enough: he may not enter the checkout
            try:
                os.setuid(nobody)
                folder._check_owner()
            except BaseException as error:
                os.write(writer, repr(error).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as said:
            assert words in said.read()
        os.waitpid(child, 0)


def test_a_second_stack_in_one_folder_is_refused_with_the_pid_of_the_first(folder: Folder) -> None:
    held = folder.lock()
    with pytest.raises(Busy, match=f"pid {os.getpid()}.*studio down") as busy:
        folder.lock()
    assert busy.value.pid == os.getpid()
    os.close(held)
    os.close(folder.lock())


def test_whoever_inherits_the_lock_keeps_a_new_stack_waiting(folder: Folder) -> None:
    held = folder.lock()
    heir = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held]
    )
    os.close(held)
    with pytest.raises(Busy):
        folder.lock()
    heir.communicate(b"\n")
    os.close(folder.lock())


def test_who_has_let_go_holds_nothing_though_its_process_lives(folder: Folder) -> None:
    held = folder.lock()
    assert folder.holder() == os.getpid()
    os.close(held)
    assert folder.holder() is None


def test_a_killed_holder_holds_nothing(folder: Folder) -> None:
    code = f"from cli.folder import *; Folder(Path({str(folder.path)!r})).lock(); os.abort()"
    subprocess.run([sys.executable, "-c", code], check=False)
    assert not folder.is_locked()


@pytest.mark.parametrize("written", ["2", "99", "not a number"])
def test_a_folder_of_a_newer_format_is_left_alone(folder: Folder, written: str) -> None:
    (folder.path / "FORMAT").write_text(f"{written}\n")
    with pytest.raises(CannotUse, match="newer Image Studio"):
        folder.prepare()
    assert (folder.path / "FORMAT").read_text() == f"{written}\n"


@pytest.mark.parametrize(("first", "other"), [("lab", "vendors"), ("vendors", "lab")])
def test_what_was_made_with_the_lab_never_meets_real_vendors_nor_the_other_way_round(
    folder: Folder, first: str, other: str
) -> None:
    assert not folder.kept_to
    folder.keep_to("")  # nobody stands for a vendor yet: it may become either
    for _ in range(2):
        folder.keep_to(first)
    with pytest.raises(CannotUse, match=r"jobs in .* were made with .*STUDIO_DATA.*--lab"):
        folder.keep_to(other)
    folder.keep_to("")
    assert folder.kept_to == first
    folder.keep_to(first)
    assert (folder.path / "VENDORS").read_text() == f"{first}\n"


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotUse, match=r"cannot be written.*STUDIO_DATA"):
        Folder(tmp_path / "file" / "data").prepare()


def test_secrets_are_made_once_for_their_owner_alone(folder: Folder) -> None:
    first = folder.secret("service_secret", NONE)
    assert len(first) == 64
    assert folder.secret("service_secret", NONE).reveal() == first.reveal()
    assert (folder.secrets / "service_secret").stat().st_mode & 0o777 == 0o600
    assert folder.secrets.stat().st_mode & 0o777 == 0o700


def test_a_secret_that_others_may_read_is_closed_again(folder: Folder) -> None:
    folder.secret("service_secret", NONE)
    (folder.secrets / "service_secret").chmod(0o644)
    folder.secret("service_secret", NONE)
    assert (folder.secrets / "service_secret").stat().st_mode & 0o777 == 0o600


def test_a_given_secret_is_used_and_not_written(folder: Folder) -> None:
    assert folder.secret("service_secret", Secret("g" * 20)).reveal() == "g" * 20
    assert not (folder.secrets / "service_secret").exists()


def test_the_link_key_is_never_changed(folder: Folder) -> None:
    key = folder.link_key(NONE)
    assert folder.link_key(Secret(key.reveal())).reveal() == key.reveal()
    with pytest.raises(CannotUse, match="breaks every link"):
        folder.link_key(Secret("another key, long enough"))


def test_a_given_link_key_is_remembered(folder: Folder) -> None:
    folder.link_key(Secret("k" * 32))
    assert folder.link_key(NONE).reveal() == "k" * 32


def test_a_lost_link_key_is_not_replaced_while_pictures_depend_on_it(folder: Folder) -> None:
    folder.link_key(NONE)
    (folder.secrets / "link_key").unlink()
    (folder.path / "vault").mkdir()
    (folder.path / "vault" / "a-picture").write_bytes(b"1")
    with pytest.raises(CannotUse, match="put it back from a copy"):
        folder.link_key(NONE)


def test_the_state_of_a_dead_stack_is_not_believed(folder: Folder) -> None:
    folder.write_state({"pid": 1, "processes": []})
    assert folder.read_state() is None
    held = folder.lock()
    assert folder.read_state() == {"pid": 1, "processes": []}
    os.close(held)


def test_the_state_of_a_killed_stack_whose_rest_still_ends_is_not_believed(folder: Folder) -> None:
    held = folder.lock()
    folder.write_state({"state": "ready", "processes": []})
    assert folder.read_state()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (folder.path / "stack.lock").write_text(f"{dead.pid}\n")
    assert folder.is_locked()
    assert folder.read_state() is None
    os.close(held)
