"""
What only a generator can judge of its settings, asked of one before anything is started.

The registry is the generator's own, so its word comes from a process that ends at once.
"""

import subprocess
from collections.abc import Sequence

from chassis.settings import EX_CONFIG, SettingsError
from cli.folder import CannotUse
from cli.processes import Process, python

_CHOICES = ("MODELS_DIR", "DEFAULT_MODEL", "LANGUAGE_MODEL")  # without one, nothing is to be judged
_PATIENCE = 60.0  # seconds
_MARK = "settings: "


def look(what: Sequence[Process]) -> None:
    """Raise SettingsError with all that the generator among *what* says of its settings."""
    told = next(one.environment for one in what if one.name.startswith("generator-"))
    if not any(told.get(name) for name in _CHOICES):
        return
    command = python("services.generator.check")
    try:
        done = subprocess.run(
            command, env=told, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise CannotUse(f"the settings could not be looked at in {_PATIENCE:.0f} s") from late
    lines = [line for line in done.stderr.splitlines() if line.startswith(_MARK)]
    if done.returncode == EX_CONFIG and lines:
        raise SettingsError([line.removeprefix(_MARK) for line in lines])
    if done.returncode:
        raise CannotUse(f"the settings could not be looked at: {done.stderr.strip()[-2000:]}")
