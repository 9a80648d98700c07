"""`./studio` on a checkout of its own, with a lock that names nothing and so needs no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"  # a folder with a space
    (root / "cli").mkdir(parents=True)
    shutil.copy(CHECKOUT / "studio", root)
    shutil.copy(CHECKOUT / "cli" / "bootstrap.py", root / "cli")
    (root / "cli" / "__init__.py").touch()
    (root / "cli" / "__main__.py").write_text("import sys; print('ran', *sys.argv[1:])")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (root / lock).write_text("# nothing\n")
    return root


def studio(root: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | more
    return subprocess.run(
        [root / "studio", *arguments],
        env=environment, check=False, capture_output=True, text=True, cwd="/", timeout=120,
    )  # fmt: skip


def test_it_installs_once_and_then_runs_at_once(checkout: Path) -> None:
    first = studio(checkout, "ps", "--json")
    assert (first.returncode, first.stdout) == (0, "ran ps --json\n"), first.stderr
    assert "installing requirements.lock" in first.stderr
    assert "installed in" in first.stderr
    again = studio(checkout)
    assert (again.stdout, again.stderr) == ("ran\n", "")


def test_what_was_compiled_is_kept_for_the_next_start(checkout: Path) -> None:
    """Containers often forbid it, and each start of a process would pay for all of our sources."""
    (checkout / "cli" / "__main__.py").write_text("import sys; print(sys.dont_write_bytecode)")
    assert studio(checkout, PYTHONDONTWRITEBYTECODE="1").stdout == "False\n"


def test_it_runs_from_anywhere_and_through_a_link(checkout: Path, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "studio"
    link.parent.mkdir()
    link.symlink_to(checkout / "studio")
    assert studio(checkout).returncode == 0
    done = subprocess.run([link, "x"], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "ran x\n"


def test_a_changed_lock_is_installed(checkout: Path) -> None:
    studio(checkout)
    (checkout / "requirements.lock").write_text("# nothing else\n")
    assert "installing requirements.lock" in studio(checkout).stderr
    assert studio(checkout).stderr == ""


def test_the_tests_need_more_and_get_it_once(checkout: Path) -> None:
    studio(checkout)
    assert "installing requirements-dev.lock" in studio(checkout, "test").stderr
    assert studio(checkout, "test").stderr == ""
    assert studio(checkout).stderr == ""


def test_a_half_made_environment_is_made_again(checkout: Path) -> None:
    studio(checkout)
    (checkout / ".venv" / ".installed" / "root").unlink()
    (checkout / ".venv" / "bin" / "python").unlink()
    assert studio(checkout).stdout == "ran\n"


def test_a_moved_checkout_finds_itself(checkout: Path) -> None:
    studio(checkout)
    moved = checkout.rename(checkout.with_name("elsewhere"))
    assert studio(moved).stdout == "ran\n"
    packages = next((moved / ".venv" / "lib").glob("python3*/site-packages"))
    assert (packages / "image_studio.pth").read_text().splitlines()[0] == str(moved)


def test_two_at_once_install_once(checkout: Path) -> None:
    starts = [
        subprocess.Popen([checkout / "studio"], stdout=-1, stderr=-1, text=True) for _ in range(2)
    ]
    said = [start.communicate(timeout=120) for start in starts]
    assert [output for output, _ in said] == ["ran\n", "ran\n"]
    assert sum("installed in" in words for _, words in said) == 1


def test_without_a_python_it_says_what_is_needed(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "dirname", "readlink", "cmp"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    done = studio(checkout, PATH=str(tools))
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_what_cannot_be_installed_leaves_nothing_that_looks_installed(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("no-such-package==1 --hash=sha256:" + "0" * 64)
    nowhere = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    for _ in range(2):
        done = studio(checkout, **nowhere)
        assert done.returncode == 1
        assert "needs the network once" in done.stderr
        assert done.stdout == ""
