"""The provider's own time: the sketches of the benchmark, drawn with no service around them."""

import asyncio
import time
from dataclasses import dataclass

from bench.load import PROMPT
from bench.report import percentile
from services.generator.sketching.easel import Easel
from services.generator.sketching.scene import compose


@dataclass(frozen=True, slots=True)
class Drawing:
    """Seconds for one picture, one at a time."""

    p50: float
    p99: float


async def measure(side: int, kind: str, *, count: int = 100) -> Drawing:
    """Draw *count* pictures of *side* pixels a side, each with another seed."""
    easel, took = Easel(), []
    try:
        for seed in range(count + 10):
            began = time.perf_counter()
            scene = compose(PROMPT, seed, side, side, "sketch", "")
            await easel.draw(
                scene, f"image/{kind}", seconds=0, report=lambda _share: None, pause=asyncio.sleep
            )
            took.append(time.perf_counter() - began)
    finally:
        await easel.close()
    return Drawing(percentile(took[10:], 0.5), percentile(took[10:], 0.99))
