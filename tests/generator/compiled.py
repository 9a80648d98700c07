"""
The simulation as machine code, by mypyc, where a C compiler is: the same histories, sooner.

What is compiled is a copy of the sources in a temporary folder, as `thawed` has them, kept for
as long as neither they nor Python change. The product never runs so; see `run`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests.generator.thawed import thawed

ROOT = Path(__file__).parents[2]
PARTS = ("bench", "chassis", "gen", "services", "tests/generator")
# Neither `chassis.errors` nor `provider`, which mypyc does not take.
MODULES = [
    *(
        f"services/generator/{name}.py"
        for name in (
            *("edges", "keeping", "moves", "publication", "purchase"),
            *("reconcile", "settling", "signs", "standing", "unbought"),
        )
    ),
    *(
        f"services/catalog/{name}.py"
        for name in (
            *("absence", "adoption", "breaker", "completion", "edges", "endings", "feed"),
            *("guards", "ledger", "outcome", "permits", "rows"),
        )
    ),
    *(
        f"tests/generator/modelled_{name}.py"
        for name in (
            *("backup", "cdn", "changes", "deeds", "edges", "ledger", "people"),
            *("pictures", "promises", "provider", "rows", "trouble", "worker"),
        )
    ),
    "tests/generator/simulation.py",
]
SETTINGS = """[mypy]
mypy_path = gen
explicit_package_bases = true
ignore_missing_imports = true
follow_imports = silent
"""
# A warning of gcc's ends it, as mypyc has it: what may be uninitialized there is a crash.
SCRIPT = """
import sys
from mypyc.build import mypycify
from setuptools import setup
parts = mypycify(["--config-file", "mypyc.ini", *sys.argv[1:]], opt_level="2", debug_level="0",
                 group_name="simulation")
setup(name="simulation", packages=[], py_modules=[], ext_modules=parts,
      script_args=["-q", "build_ext", "--inplace"])
"""


def is_compiled() -> bool:
    """Whether this process plays compiled histories."""
    from tests.generator import simulation

    return not str(simulation.__file__).endswith(".py")


def why_not() -> str | None:
    """What keeps it from being compiled here, if anything does."""
    if not shutil.which("cc"):
        return "no C compiler"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "no headers of Python"
    return None


def run(module: str, arguments: list[str]) -> None:
    """Become *module*, compiled; return only where that is so already, or cannot be."""
    if is_compiled() or why_not():
        return
    folder = build()
    here = {"PYTHONPATH": f"{folder}{os.pathsep}{folder / 'gen'}", "PYTHONSAFEPATH": "1"}
    if os.environ.get("PYTHONPATH") == here["PYTHONPATH"]:
        raise RuntimeError(f"what is in {folder} is not what runs")
    command = [sys.executable, "-m", module, *arguments]
    os.execve(sys.executable, command, {**os.environ, **here})


def build() -> Path:
    """Return the folder with the compiled copy, made where there is none yet."""
    folder = Path(tempfile.gettempdir()) / f"studio-simulation-{os.getuid()}-{_hash()[:16]}"
    if folder.is_dir() and folder.stat().st_uid == os.getuid():
        return folder
    print("compiling the simulation, once for these sources: a minute or two", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="studio-simulation-") as made:
        place = Path(made) / "tree"
        for part in PARTS:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, place / part, ignore=ignored)
        (place / "tests/__init__.py").touch()  # or another package of that name would be taken
        for module in MODULES:
            (place / module).write_text(thawed((place / module).read_text()))
        (place / "mypyc.ini").write_text(SETTINGS)
        command = [sys.executable, "-c", SCRIPT, *MODULES]
        done = subprocess.run(command, cwd=place, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"it does not compile:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        shutil.rmtree(place / "build", ignore_errors=True)
        try:
            place.rename(folder)  # whole, or not at all
        except OSError:  # another was quicker
            if not folder.is_dir():
                raise
    return folder


def _hash() -> str:
    """The hash of all that the copy is made of."""
    found = hashlib.sha256(f"{sys.version} {sys.prefix} {SETTINGS} {SCRIPT}".encode())
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                found.update(f"{path.relative_to(ROOT)} ".encode() + path.read_bytes())
    return found.hexdigest()
