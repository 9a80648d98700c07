"""Rows of a scene in its style, and the files they go into."""

from functools import lru_cache

from PIL import Image

from services.generator.sketching import paint
from services.generator.sketching.pen import Sheet
from services.generator.sketching.scene import Scene
from services.generator.sketching.stage import set_stage


@lru_cache(maxsize=4)
def _prepared(scene: Scene) -> tuple[Sheet, Image.Image]:
    sheet = set_stage(scene)
    return sheet, paint.air(sheet)


def draw_rows(scene: Scene, top: int, bottom: int) -> bytes:
    sheet, small = _prepared(scene)
    return paint.band(sheet, small, top, bottom).tobytes()
