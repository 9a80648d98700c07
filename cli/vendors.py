"""
The companies that a stack draws and publishes with: which process is told what of them, what
their settings light up, and the lab that stands for all of them.
"""

from collections.abc import Iterator
from dataclasses import replace

from chassis.settings import Secret
from cli.settings import StackSettings
from cli.shape import Shape

_LAB_TOKEN = Secret("r8_lab")
_LAB_KEY = Secret("lab")
_LAB_CLOUD = Secret("cloudinary://lab:lab-secret@lab")
_TOLD = {  # what the lab takes the place of
    "REPLICATE_API_TOKEN": "replicate_token",
    "REPLICATE_BASE_URL": "replicate_base",
    "RECRAFT_API_TOKEN": "recraft_token",
    "RECRAFT_BASE_URL": "recraft_base",
    "GEMINI_API_KEY": "gemini_key",
    "GEMINI_BASE_URL": "gemini_base",
    "OPENAI_API_KEY": "openai_key",
    "OPENAI_BASE_URL": "openai_base",
    "ANTHROPIC_API_KEY": "anthropic_key",
    "ANTHROPIC_BASE_URL": "anthropic_base",
    "CLOUDINARY_URL": "cloudinary_url",
    "CLOUDINARY_BASE_URL": "cloudinary_base",
}

_WRITES = "one of these writes and describes: ./studio suggest tries it; LANGUAGE_MODEL names it"
_DRAWS_AND_WRITES = "its models draw, and may write: ./studio models lists those that draw"
_KEYS = {  # by a provider's name in the list of models
    "replicate": "REPLICATE_API_TOKEN",
    "recraft": "RECRAFT_API_TOKEN",
    "google": "GEMINI_API_KEY",
    "openai": "OPENAI_API_KEY",
}


def lab_url(settings: StackSettings) -> str:
    return f"http://127.0.0.1:{settings.lab}"


def behind_lab(settings: StackSettings) -> StackSettings:
    """Return *settings* with the lab in every vendor's place: nothing reaches a real one."""
    return replace(
        settings,
        replicate_token=_LAB_TOKEN,
        replicate_base=f"{lab_url(settings)}/replicate",
        recraft_token=_LAB_KEY,
        recraft_base=f"{lab_url(settings)}/recraft",
        gemini_key=_LAB_KEY,
        gemini_base=f"{lab_url(settings)}/google",
        openai_key=_LAB_KEY,
        openai_base=f"{lab_url(settings)}/openai/v1",
        anthropic_key=_LAB_KEY,
        anthropic_base=f"{lab_url(settings)}/anthropic",
        cloudinary_url=_LAB_CLOUD,
        cloudinary_base=f"{lab_url(settings)}/cloudinary",
    )


def standing(settings: StackSettings, shape: Shape) -> str:
    """Return who answers for the vendors: "lab", "vendors", or nobody where none is set."""
    if shape.lab:
        return "lab"
    keys = (
        *(settings.replicate_token, settings.recraft_token, settings.cloudinary_url),
        *(settings.openai_key, settings.anthropic_key, settings.gemini_key),
    )
    return "vendors" if any(keys) else ""


def overruled(settings: StackSettings) -> list[str]:
    """Return the names of what is set and has no effect beside the lab."""
    return [name for name, field in _TOLD.items() if getattr(settings, field)]


def in_place_of_all(settings: StackSettings) -> str:
    """Say what the lab means for who starts it: what has no effect, and which links end with it."""
    names = overruled(settings)
    without = f"without effect beside it: {', '.join(names)}; " if names else ""
    return (
        f"the lab stands for every vendor; {without}links to its CDN ({lab_url(settings)}/…) die "
        "when it ends, and each picture's vault_url stays"
    )


def key(provider: str) -> str:
    """Return the name of the setting that lights *provider*'s models up."""
    return _KEYS.get(provider, f"a key of {provider}")


def for_generator(settings: StackSettings) -> dict[str, str]:
    """Return what a generator is told of those who draw."""
    return {
        "REPLICATE_API_TOKEN": settings.replicate_token.reveal(),
        "REPLICATE_BASE_URL": settings.replicate_base,
        "REPLICATE_MAX_IN_FLIGHT": settings.replicate_in_flight,
        "REPLICATE_MAX_PER_MINUTE": settings.replicate_per_minute,
        "RECRAFT_API_TOKEN": settings.recraft_token.reveal(),
        "RECRAFT_BASE_URL": settings.recraft_base,
        "RECRAFT_MAX_IN_FLIGHT": settings.recraft_in_flight,
        "RECRAFT_MAX_PER_MINUTE": settings.recraft_per_minute,
        "GEMINI_API_KEY": settings.gemini_key.reveal(),
        "GEMINI_BASE_URL": settings.gemini_base,
        "GEMINI_MAX_IN_FLIGHT": settings.gemini_in_flight,
        "GEMINI_MAX_PER_MINUTE": settings.gemini_per_minute,
        "OPENAI_API_KEY": settings.openai_key.reveal(),
        "OPENAI_BASE_URL": settings.openai_base,
        "OPENAI_MAX_IN_FLIGHT": settings.openai_in_flight,
        "OPENAI_MAX_PER_MINUTE": settings.openai_per_minute,
        "MODELS_DIR": settings.models,
        "ANTHROPIC_API_KEY": settings.anthropic_key.reveal(),
        "ANTHROPIC_BASE_URL": settings.anthropic_base,
        "LANGUAGE_MODEL": settings.language_model,
        "LANGUAGE_SECONDS": settings.language_seconds,
        "LOOKUP_LAG": settings.lookup_lag,
        "ORDER_SECONDS": settings.order_seconds,
        "ANSWER_SECONDS": settings.answer_seconds,
        "RECONCILE_SECONDS": settings.reconcile,
    }


def for_storage(settings: StackSettings) -> dict[str, str]:
    """Return what storage is told of those who publish."""
    return {
        "CLOUDINARY_URL": settings.cloudinary_url.reveal(),
        "CLOUDINARY_BASE_URL": settings.cloudinary_base,
    }


def told(settings: StackSettings) -> Iterator[tuple[str, str]]:
    """Yield each vendor with words on what is set, never with a value, and what it lights up."""
    yield (
        "Replicate",
        _told("REPLICATE_API_TOKEN", settings.replicate_token, settings.replicate_base),
    )
    yield (
        "Recraft",
        _told(
            "RECRAFT_API_TOKEN",
            settings.recraft_token,
            settings.recraft_base,
            dark="recraft-v3 and recraft-v3-vector come by Replicate, where that is set",
        ),
    )
    for company, name, key, base in (
        ("Google", "GEMINI_API_KEY", settings.gemini_key, settings.gemini_base),
        ("OpenAI", "OPENAI_API_KEY", settings.openai_key, settings.openai_base),
    ):
        yield company, _told(name, key, base, _DRAWS_AND_WRITES)
    anthropic = settings.anthropic_key, settings.anthropic_base
    yield "Anthropic", _told("ANTHROPIC_API_KEY", *anthropic, _WRITES, "its models do not write")
    yield (
        "Cloudinary",
        _told(
            "CLOUDINARY_URL",
            settings.cloudinary_url,
            settings.cloudinary_base,
            lit="kept pictures are published there, too",
            dark="pictures are at their permanent links alone",
        ),
    )


def _told(
    name: str,
    secret: Secret,
    base: str,
    lit: str = "its models are drawn with: ./studio models lists them",
    dark: str = "its models are not offered",
) -> str:
    words = f"{name} is set: {lit}" if secret else f"{name} is not set: {dark}"
    return f"{words}; at {base}" if base else words
