"""The rules for the texts and numbers of a request that hold whatever model is asked."""

import re
from collections.abc import Iterable, Sequence

from chassis.errors import Invalid
from imagestudio.type.v1 import job_pb2

PROMPT_MOST = 32_000  # characters
COUNT_MOST = 32
MODELS_MOST = 32
_TITLE = 80
_KEY = re.compile(r"[a-z][a-z0-9-]{0,99}")
_LABEL_MOST = {"title": 200, "project": 100, "use_case": 100, "preset": 100}


def invalid(field: str, what: str) -> Invalid:
    """A refusal of one *field*; *what* completes the sentence that begins with its name."""
    return Invalid(
        "REQUEST_INVALID", f"{field} {what}.", metadata={"field": field}, fields={field: what}
    )


def check(asked: job_pb2.JobSpec) -> None:
    """Refuse texts and numbers that no model takes."""
    check_prompt(asked.prompt)
    check_text("negative_prompt", asked.negative_prompt, PROMPT_MOST)
    for field, most in _LABEL_MOST.items():
        check_text(field, getattr(asked, field), most)
    if asked.HasField("count") and not 1 <= asked.count <= COUNT_MOST:
        raise invalid("count", f"must be from 1 to {COUNT_MOST} and is {asked.count}")
    if asked.HasField("max_cost_usd_micros") and asked.max_cost_usd_micros < 0:
        raise invalid("max_cost", "must not be below 0")
    check_models("models", asked.models)
    check_models("fallback_models", asked.fallback_models)
    _distinct("models", asked.models)
    _distinct("fallback_models", [*asked.models, *asked.fallback_models])


def is_key(text: str) -> bool:
    """Whether *text* has the form of a preset's key."""
    return bool(_KEY.fullmatch(text))


def title(prompt: str) -> str:
    """The title of a job that was given none: the prompt's first 80 characters, in one line."""
    return " ".join(prompt[: 4 * _TITLE].split())[:_TITLE]


def templated(template: str, prompt: str) -> str:
    """Put *prompt* in its place in a preset's *template*; at its end where it has none."""
    if "{prompt}" in template:
        made = template.replace("{prompt}", prompt)
    else:
        made = f"{template} {prompt}" if template else prompt
    if len(made) > PROMPT_MOST:
        raise invalid("prompt", f"with the preset's text has more than {PROMPT_MOST} characters")
    return made


def check_prompt(prompt: str) -> None:
    """Refuse a *prompt* that is blank or too long."""
    if not prompt.strip():
        raise invalid("prompt", "must say what to draw")
    check_text("prompt", prompt, PROMPT_MOST)


def is_prompt(text: str) -> bool:
    """Whether *text* can be drawn from, kept and sent."""
    fits = bool(text.strip()) and len(text) <= PROMPT_MOST
    return fits and not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)


def check_text(field: str, text: str, most: int) -> None:
    """Refuse a *text* of a field that is too long, or that cannot be kept."""
    if len(text) > most:
        raise invalid(field, f"must have at most {most} characters and has {len(text)}")
    if "\0" in text:
        raise invalid(field, "must not contain the character NUL")


def check_models(field: str, keys: Sequence[str]) -> None:
    """Refuse more models than anybody asks, before each is looked at."""
    if len(keys) > MODELS_MOST:
        raise invalid(field, f"must be {MODELS_MOST} at most and are {len(keys)}")


def _distinct(field: str, keys: Iterable[str]) -> None:
    seen = set[str]()
    for key in keys:
        if key in seen:
            raise invalid(field, f"names {key[:80]!r} twice")
        seen.add(key)
