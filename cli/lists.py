"""What the stack has, as tables or JSON: jobs, models, presets, usage."""

import re
from typing import Any

from rich.text import Text

from cli import vendors
from cli.edge import Edge, Trouble
from cli.screen import dollars, print_json, print_table, say


def jobs(edge: Edge, limit: int, *, at_risk: bool, as_json: bool) -> None:
    narrowed = {"at_risk": "true"} if at_risk else {}
    found = edge.get("/images/jobs", page_size=limit, **narrowed)["jobs"]
    if as_json:
        return print_json(found)
    rows = [
        (
            job["job_id"],
            job["state"],
            dollars(job.get("cost_usd")),
            _risk(job),
            _when(job),
            job["title"],
        )
        for job in found
    ]
    columns = ("job", "state", "cost", "at risk", "created", "title")
    return print_table(columns, rows, whole=("state", "cost", "created"))


def models(edge: Edge, *, retired: bool = False, as_json: bool) -> None:
    """Show the models; with *retired* also those that their vendors have switched off, and when."""
    found = edge.get("/images/models", retired="true" if retired else "")["models"]
    if as_json:
        return print_json(found)
    rows = [
        (
            *(model["key"], _usable(model), _price(model), _references(model)),
            *(model["provider"], model["display_name"]),
        )
        for model in found
    ]
    return print_table(("model", "state", "an image", "references", "provider", "name"), rows)


def _references(model: dict[str, Any]) -> str:
    """How many input images it takes, and for what."""
    can = model["capabilities"]
    most, roles = can["max_references"], ", ".join(can["reference_roles"])
    return f"{most}: {roles}" if most else ""


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


def usage(edge: Edge, group_by: str, between: tuple[str, str], *, as_json: bool) -> None:
    """Show what was spent *between* two times, the present month's where they are empty."""
    start, end = between
    found = edge.get("/images/usage", group_by=group_by, start=start, end=end)
    if as_json:
        return print_json(found)
    rows = [
        (
            line["key"] or "none",
            str(line["image_count"]),
            str(line["purchase_count"]),
            dollars(line["cost_usd"]),
            _risk(line),
        )
        for line in found["lines"]
    ]
    print_table((group_by.replace("_", " "), "images", "purchases", "cost", "at risk"), rows)
    cap = found["cap"]
    limit = "" if cap["cap_usd"] is None else f" of {dollars(cap['cap_usd'])}"
    words = found["language_usd"]
    spoken = f", {dollars(words)} of it for language calls" if words else ""
    say(f"{dollars(found['total_usd'])} in all{spoken}; {cap['period']}: {_sums(cap)}{limit}")
    if found["at_risk_count"]:
        say(
            f"at risk: {_risk(found)}, of which nobody knows whether it was charged; "
            "`./studio jobs --at-risk` shows whose, `./studio jobs show ID` names the purchases, "
            "`./studio jobs settle` tells what it was"
        )
    return None


def cap(edge: Edge, most: str, *, as_json: bool) -> None:
    """Set the cap of a month, and show it."""
    if not re.fullmatch(r"none|[$]?[0-9]{1,7}([.][0-9]{1,6})?", most):
        raise Trouble(f"{most!r} is no sum: name dollars, such as 25.50, or none", 400)
    usd = None if most == "none" else float(most.removeprefix("$"))
    found = edge.put("/images/usage/cap", {"cap_usd": usd})
    if as_json:
        return print_json(found)
    limit = "no cap" if found["cap_usd"] is None else f"a cap of {dollars(found['cap_usd'])}"
    if found["cap_usd"] is not None and found["spent_usd"] >= found["cap_usd"]:
        limit += ": nothing that costs is drawn until the month ends or the cap is raised"
    say(f"{found['period']}: {_sums(found)}, {limit}")
    return None


def _sums(cap: dict[str, Any]) -> str:
    return f"{dollars(cap['spent_usd'])} spent and {dollars(cap['reserved_usd'])} held"


def _risk(found: dict[str, Any]) -> str:
    count = found["at_risk_count"]
    if not count:
        return "-"
    return f"{dollars(found['at_risk_usd'])} in {count} purchase{'s' * (count > 1)}"


def _when(job: dict[str, Any]) -> str:
    return str(job.get("created_at", ""))[:19].replace("T", " ") + "Z"


def _usable(model: dict[str, Any]) -> Text:
    """Tell whether a model can be drawn with, and what it takes where it cannot."""
    state = str(model["state"])
    if state == "active":
        return Text("ready")
    if state == "disabled":
        return Text(f"needs {vendors.key(model['provider'])}", "dim")
    if why := model.get("state_reason"):
        return Text(f"{state}: {why.replace('_', ' ').lower()}", "yellow")
    since = f" {end[:10]}" if state == "retired" and (end := model.get("retire_time")) else ""
    instead = f", use {model['successor']}" if model["successor"] else ""
    return Text(state + since + instead, "yellow")


def _price(model: dict[str, Any]) -> str:
    """Write the price of an image; what is not known is not said to be free."""
    usd = model["price_per_image_usd"]
    return "unknown" if usd is None else dollars(usd) if usd else "free"
