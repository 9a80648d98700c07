"""What the stack has, as tables or JSON: jobs, models, presets."""

from typing import Any

from cli.edge import Edge
from cli.screen import dollars, print_json, print_table


def jobs(edge: Edge, limit: int, *, as_json: bool) -> None:
    found = edge.get("/images/jobs", page_size=limit)["jobs"]
    if as_json:
        return print_json(found)
    rows = [
        (job["job_id"], job["state"], dollars(job.get("cost_usd")), _when(job), job["title"])
        for job in found
    ]
    return print_table(("job", "state", "cost", "created", "title"), rows)


def models(edge: Edge, *, as_json: bool) -> None:
    found = edge.get("/images/models")["models"]
    if as_json:
        return print_json(found)
    rows = [
        (model["key"], model.get("provider", ""), _price(model), model.get("display_name", ""))
        for model in found
    ]
    return print_table(("model", "provider", "an image", "name"), rows)


def presets(edge: Edge, *, as_json: bool) -> None:
    found = edge.get("/images/presets")["presets"]
    if as_json:
        return print_json(found)
    rows = [
        (
            preset["preset_key"],
            preset.get("model_key") or "any",
            preset.get("use_case", ""),
            preset.get("name", ""),
        )
        for preset in found
    ]
    return print_table(("preset", "model", "for", "name"), rows)


def _when(job: dict[str, Any]) -> str:
    return str(job.get("created_at", ""))[:19].replace("T", " ")


def _price(model: dict[str, Any]) -> str:
    usd = model.get("price_per_image_usd", model.get("price_per_image"))
    if isinstance(usd, dict):
        usd = usd.get("usd")
    return dollars(usd) if usd else "free"
