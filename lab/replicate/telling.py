"""How Replicate puts things: times, addresses, and what models write into their logs."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lab.replicate.catalogue import Model

if TYPE_CHECKING:
    from lab.replicate.prediction import Prediction

_EIGHTHS = " ▏▎▍▌▋▊▉"
_BAR = 10  # cells of tqdm's bar


def milliseconds(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def microseconds(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def urls(base: str, name: str) -> dict[str, str]:
    """Where a prediction is found, canceled, streamed and looked at."""
    api = f"{base}/replicate/v1/predictions/{name}"
    return {
        "cancel": f"{api}/cancel",
        "get": api,
        "stream": f"{base}/replicate/stream/{name}",
        "web": f"https://replicate.com/p/{name}",
    }


def shown(model: Model, inputs: dict[str, Any]) -> dict[str, Any]:
    """The input as it is told back, without its secrets."""
    if not model.secrets:
        return inputs
    return {key: "[REDACTED]" if key in model.secrets else of for key, of in inputs.items()}


def steps(found: "Prediction") -> int:
    """The moments at which a model writes into its logs."""
    return int(found.model.get(found.inputs, "num_inference_steps") or 1)


def logs(found: "Prediction", ran: float, share: float) -> str:
    """What a model has written after *ran* seconds, with *share* of its work done."""
    first = f"Using seed: {found.seed}\n" if "seed" in found.model.properties else ""
    if found.model.logs == "tqdm":
        return first + _tqdm(int(steps(found) * share), steps(found), ran)
    done = f"Generated image in {ran:.1f}sec\n" if found.status == "succeeded" else ""
    return f"{first}Generating image...\n{done}"


def _tqdm(step: int, total: int, ran: float) -> str:
    """Every line up to *step*, as a terminal's log keeps them."""
    each = ran / step if step else 0.0
    return "".join(_line(at, total, each) for at in range(step + 1))


def _line(step: int, total: int, each: float) -> str:
    whole, part = divmod(step * _BAR * 8 // total, 8)
    bar = "█" * whole + (_EIGHTHS[part] if whole < _BAR else "")
    rate = f"{1 / each:5.2f}it/s" if step and each else "?it/s"
    left = f"{_clock(each * (total - step))}" if step else "?"
    bar = f"{100 * step / total:3.0f}%|{bar:<{_BAR}}| {step}/{total}"
    return f"{bar} [{_clock(each * step)}<{left}, {rate}]\n"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
