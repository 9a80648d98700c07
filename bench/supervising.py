"""Supervises a stack some of whose processes are started differently: all else is the product."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from cli import processes
from cli.folder import Folder
from cli.guardian import Guardian
from cli.settings import load
from cli.shape import Shape
from cli.supervisor import Supervisor


def supervise(shape: Shape, changed: Callable[[processes.Process], processes.Process]) -> None:
    """Run the stack that the environment describes, each process as *changed* has it."""
    settings = load()
    folder = Folder(settings.data)
    folder.prepare()
    guardian = Guardian(folder.lock())
    what = [changed(process) for process in processes.stack(settings, folder, shape)]
    try:
        asyncio.run(Supervisor(what, folder, guardian, _tell, settings, shape).run())
    finally:
        folder.forget_state()
        guardian.dismiss()


def _tell(what: dict[str, Any]) -> None:
    if "ready" in what:
        print(what["ready"], flush=True)
    else:
        print(json.dumps(what), file=sys.stderr, flush=True)
