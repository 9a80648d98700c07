"""The vendors' own clients, imported when one is first used: each takes a second or two."""

import importlib
from typing import Any


class Later:
    """Stands for the module *name*."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


anthropic, openai = Later("anthropic"), Later("openai")
httpx2 = Later("httpx2")  # what Anthropic's stands on
genai, errors, types = (Later(f"google.genai{part}") for part in ("", ".errors", ".types"))
