"""
Makes .venv from the locks: run by `studio` with any Python from 3.11 on, standard library alone.

One at a time (a lock on the checkout's folder), and never half-made: what is installed is
written down last.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

_WORDS = 15  # lines of an installer's complaint that are repeated


def main(root: Path, locks: list[str]) -> None:
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        _say("waiting for another ./studio that is installing")
        fcntl.flock(folder, fcntl.LOCK_EX)
    venv, done = root / ".venv", root / ".venv" / ".installed"
    missing = [lock for lock in locks if not _is_done(root, lock)]
    if not missing:
        return  # the other one did it
    began = time.monotonic()
    _say(f"installing {' and '.join(missing)} into .venv")
    half_made = done.exists() and not (done / "root").exists()
    if half_made or not _works(venv):
        _make(venv)
    done.mkdir(exist_ok=True)
    for lock in missing:
        _install(venv, root / lock)
    _put_on_path(venv, root)
    for lock in missing:
        _write(done / lock, (root / lock).read_bytes())
    _write(done / "root", f"{root}\n".encode())
    _say(f"installed in {time.monotonic() - began:.0f} s")


def _is_for(root: Path) -> bool:
    try:
        return (root / ".venv/.installed/root").read_text().strip() == str(root)
    except OSError:
        return False


def _is_done(root: Path, lock: str) -> bool:
    try:
        return (
            _is_for(root)
            and (root / ".venv/.installed" / lock).read_bytes() == (root / lock).read_bytes()
        )
    except OSError:
        return False


def _works(venv: Path) -> bool:
    """Whether its Python still runs: it may be of another machine, or its base may be gone."""
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    if not shutil.which("uv"):
        test = f"import pip; {test}"  # made with uv, which is gone by now
    try:
        done = subprocess.run([venv / "bin/python", "-c", test], check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def _make(venv: Path) -> None:
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)])
    elif find_spec("venv") is None or find_spec("ensurepip") is None:
        sys.exit(
            "studio: this Python has no venv module; install it (Debian, Ubuntu: "
            "`apt install python3-venv`) or put `uv` on PATH, then run this again"
        )
    else:
        _run([sys.executable, "-m", "venv", "--clear", str(venv)])


def _install(venv: Path, lock: Path) -> None:
    python = str(venv / "bin" / "python")
    exactly: list[str | Path] = [
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
    ]
    if uv := shutil.which("uv"):
        _run([uv, "pip", "install", "--python", python, "--compile-bytecode", *exactly, lock])
    else:
        _run([python, "-m", "pip", "install", "--disable-pip-version-check", *exactly, lock])


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        print("\n".join(done.stdout.strip().splitlines()[-_WORDS:]), file=sys.stderr)
        sys.exit(
            "studio: the installation failed (above is why). It needs the network once: see that "
            "the package index can be reached, then run this again; nothing else has changed"
        )


def _put_on_path(venv: Path, root: Path) -> None:
    """An editable install without a build: the checkout and its stubs are on the path."""
    packages = next((venv / "lib").glob("python3*/site-packages"))
    _write(packages / "image_studio.pth", f"{root}\n{root / 'gen'}\n".encode())


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.rename(path)


def _say(what: str) -> None:
    print(f"studio: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
