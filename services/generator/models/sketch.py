"""The built-in models: three styles of one provider, free and offline."""

from services.generator.models.entry import Model

_SHAPES = {
    "1:1": (1024, 1024),
    "4:3": (1152, 864),
    "3:4": (864, 1152),
    "3:2": (1248, 832),
    "2:3": (832, 1248),
    "16:9": (1344, 756),
    "9:16": (756, 1344),
    "21:9": (1512, 648),
}
_PARAMETERS = {
    "type": "object",
    "properties": {
        "seconds": {
            "type": "number",
            "minimum": 0,
            "maximum": 60,
            "description": "How long to take over the drawing; 0 is as fast as it goes.",
        },
        "format": {
            "type": "string",
            "enum": ["png", "jpeg", "webp"],
            "description": "The file's format; png where it is left out.",
        },
    },
    "additionalProperties": False,
}


def _sketch(key: str, display_name: str) -> Model:
    return Model(
        key=key,
        display_name=display_name,
        provider="sketch",
        slug=key,
        shapes=_SHAPES,
        sides=(64, 2048),
        negative_prompt=True,
        seed=True,
        seeds=(-(2**63), 2**63 - 1),
        media_types=("image/png", "image/jpeg", "image/webp"),
        parameters=_PARAMETERS,
        typical=0.3,
        time_limit=180.0,
    )


MODELS = (
    _sketch("sketch", "Sketch"),
    _sketch("sketch-ink", "Sketch in ink"),
    _sketch("sketch-mosaic", "Sketch as a mosaic"),
)
