"""What has to hold when all is quiet: each check yields a line for everything that does not."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from cli.chaos import balance
from cli.chaos.evidence import ASKABLE, KEPT, Evidence, Row, micros, unfinished

Check = Callable[[Evidence], Iterator[str]]


def quiet(found: Evidence) -> Iterator[str]:
    yield from unfinished(found.ledger)


def charged_once(found: Evidence) -> Iterator[str]:
    for purchase_id, times in found.times_charged.items():
        if times > 1:
            tickets = [c["ticket"] for c, p in found.matched if p and _is(p, purchase_id)]
            yield f"purchase {purchase_id} was charged {times} times: {', '.join(tickets)}"
    for purchase_id, times in Counter(c["purchase_id"] for c in found.charges).items():
        if times > found.times_charged.get(purchase_id, 0) and times > 1:
            yield f"purchase {purchase_id} was ordered and charged {times} times"
    places: dict[tuple[int, int], set[str]] = defaultdict(set)  # a next attempt was never needed
    for _, purchase in found.matched:
        if purchase:
            places[purchase["job_id"], purchase["ordinal"]].add(purchase["purchase_id"])
    for (job, ordinal), bought in places.items():
        if len(bought) > 1:
            yield f"purchase {ordinal} of job {job} was bought as {', '.join(sorted(bought))}"


def accounted_for(found: Evidence) -> Iterator[str]:
    for charge, purchase in found.matched:
        what = balance.category(purchase)
        if what in balance.BAD:
            whose = purchase["purchase_id"] if purchase else charge["purchase_id"]
            yield f"{charge['model']} {charge['ticket']}, {micros(charge)} µ$: {what} ({whose})"


def booked_as_charged(found: Evidence) -> Iterator[str]:
    """What says charged was, for what is booked; what may have been is booked as no less."""
    charged: dict[str, int] = defaultdict(int)
    for charge, purchase in found.matched:
        if purchase:
            charged[purchase["purchase_id"]] += micros(charge)
    for purchase in found.bought:
        key, cost = purchase["purchase_id"], purchase["cost"]
        paid, says = charged.get(key, 0), purchase["charged"]
        if says == "yes" and paid != cost:
            yield f"purchase {key} is booked with {cost} µ$ and was charged {paid} µ$"
        if says == "unknown" and paid > cost:
            yield f"purchase {key} may have cost {cost} µ$ and was charged {paid} µ$"


def charged_pictures_are_kept(found: Evidence) -> Iterator[str]:
    """
    With the very bytes that the vendor handed out.

    What a vendor drew that cannot be asked, and whose answer was lost, is nowhere: of that it
    is enough that the ledger says `unknown`.
    """
    handed_out = {(each["ticket"], each["index"]): each["sha256"] for each in found.pictures}
    for charge, purchase in found.matched:
        if charge["vendor"] not in ASKABLE and balance.category(purchase) == balance.UNKNOWN:
            continue
        outputs = {each["index"]: each for each in found.outputs.get(_id(purchase), [])}
        ours = purchase is not None and purchase["ticket"] in _tickets(charge)
        for index in range(charge["images"]):
            output = outputs.get(index) if ours else None
            sold = handed_out.get((charge["ticket"], index))
            if output is None or output["state"] not in KEPT:
                yield f"picture {index} of {charge['ticket']} was paid for and is not kept"
            elif output["image_hash"] != sold:
                yield f"picture {index} of {charge['ticket']} is kept with other bytes"


def kept_once(found: Evidence) -> Iterator[str]:
    """Each output that is kept is one variant, and each variant such an output."""
    variants = Counter((v["purchase_id"], v["output_index"]) for v in found.ledger["variants"])
    kept = {(o["purchase_id"], o["index"]) for o in found.ledger["outputs"] if o["state"] in KEPT}
    for key in kept | variants.keys():
        if (key in kept) != (variants[key] == 1):
            yield f"output {key[1]} of purchase {key[0]} has {variants[key]} variants"


def served_by_the_vault(found: Evidence) -> Iterator[str]:
    known = {(file["user_id"], file["image_hash"]) for file in found.ledger["files"]}
    for variant in found.ledger["variants"]:
        if (variant["user_id"], variant["image_hash"]) not in known:
            yield f"variant {variant['variant_id']} has no file"
    for file in found.ledger["files"]:
        brought = found.served.get(file["link"], "was not fetched")
        if brought != file["image_hash"]:
            yield f"/i/{file['link']} should bring {file['image_hash']}: {brought}"


def on_the_cdn(found: Evidence) -> Iterator[str]:
    """Each asset is a file of ours with its bytes; what shall be there is, once."""
    files = {file["link"]: file["image_hash"] for file in found.ledger["files"]}
    assets = Counter(asset["public_id"] for asset in found.assets)
    for asset in found.assets:
        link = asset["public_id"]
        if files.get(link) != asset["sha256"]:
            yield f"the CDN's {link} is {asset['sha256']}; ours of that link: {files.get(link)}"
    wanted = {output["image_hash"] for output in found.ledger["outputs"] if output["to_publish"]}
    for link, image_hash in files.items():
        if assets[link] != 1 and image_hash in wanted:
            yield f"file {link} is on the CDN {assets[link]} times"


def logs_are_whole(found: Evidence) -> Iterator[str]:
    logs = {row["job_id"]: row for row in found.ledger["events"]}
    for job in found.ledger["jobs"]:
        log = logs.get(job["job_id"], {"sequences": [], "kinds": []})
        sequences, kinds = log["sequences"], log["kinds"]
        if sequences != list(range(1, job["last_sequence"] + 1)):
            yield f"the log of job {job['job_id']} has the numbers {sequences}"
        if kinds.count("completed") != 1 or kinds[-1:] != ["completed"] or kinds[0] != "accepted":
            yield f"the log of job {job['job_id']} reads {kinds}"


def heard_as_written(found: Evidence) -> Iterator[str]:
    logs = {str(row["job_id"]): row["kinds"] for row in found.ledger["events"]}
    for outcome in found.outcomes:
        heard = [each.kind for each in outcome.log]
        if outcome.job and heard != logs.get(outcome.job):
            yield f"of job {outcome.job} a client heard {heard}; written: {logs.get(outcome.job)}"
    yield from found.retold


def within_caps(found: Evidence) -> Iterator[str]:
    paid: dict[str, int] = defaultdict(int)
    for charge, purchase in found.matched:
        if purchase:
            paid[found.users[purchase["user_id"]]] += micros(charge)
    for name, most in found.caps.items():
        rows = [row for row in found.ledger["spending"] if found.users[row["user_id"]] == name]
        for row in rows:
            if row["spent"] + row["reserved"] > most:
                yield f"{name} may spend {most} µ$ and spent {row['spent']} µ$"
        if paid[name] > most * max(1, len(rows)):
            yield f"{name} may spend {most} µ$ and vendors charged {paid[name]} µ$"


def nothing_is_held(found: Evidence) -> Iterator[str]:
    for row in found.ledger["spending"]:
        if row["reserved"]:
            whose = found.users[row["user_id"]]
            yield f"{row['reserved']} µ$ of {whose} are still reserved"
    for row in found.ledger["purchases"]:
        if row["reserved"]:
            yield f"purchase {row['purchase_id']} still reserves {row['reserved']} µ$"
        if row["owner"]:
            yield f"purchase {row['purchase_id']} still has an owner"
    for row in found.ledger["permits"]:
        if row["in_use"]:
            yield f"{row['in_use']} permits of {row['provider']} are still in use"


def costs_add_up(found: Evidence) -> Iterator[str]:
    """Of variants to purchases, of purchases to jobs and to months."""
    jobs: dict[int, int] = defaultdict(int)
    months: dict[tuple[int, str], int] = defaultdict(int)
    shares: dict[str, int] = defaultdict(int)
    for row in found.ledger["purchases"]:
        jobs[row["job_id"]] += row["cost"]
        months[row["user_id"], row["period"]] += row["cost"]
    for row in found.ledger["variants"]:
        shares[row["purchase_id"]] += row["cost"]
    for job in found.ledger["jobs"]:
        if job["cost"] != jobs[job["job_id"]]:
            yield f"job {job['job_id']} cost {job['cost']} µ$, its purchases {jobs[job['job_id']]}"
    for row in found.ledger["spending"]:
        sum_ = months.get((row["user_id"], row["period"]), 0)
        if row["spent"] != sum_:
            yield f"{found.users[row['user_id']]} spent {row['spent']} µ$, their purchases {sum_}"
    for row in found.ledger["purchases"]:
        if row["state"] in KEPT and shares[row["purchase_id"]] != row["cost"]:
            yield f"the pictures of purchase {row['purchase_id']} do not share its cost"


def admitted_once(found: Evidence) -> Iterator[str]:
    """A request is one job, however often it was sent, and a job is somebody's request."""
    asked = {outcome.visit.request_id: outcome for outcome in found.outcomes}
    jobs = Counter(job["request_id"] for job in found.ledger["jobs"])
    written = {job["request_id"]: str(job["job_id"]) for job in found.ledger["jobs"]}
    for request_id, times in jobs.items():
        if times > 1:
            yield f"request {request_id} was admitted {times} times"
        if request_id not in asked:
            yield f"job {written[request_id]} is of a request that nobody made"
    for outcome in found.outcomes:
        request_id, told = outcome.visit.request_id, outcome.jobs
        if len(told) > 1:
            yield f"request {request_id} was answered with the jobs {', '.join(sorted(told))}"
        elif told and told != {written.get(request_id)}:
            yield f"request {request_id} was answered with job {outcome.job}, which is not its"


def answers_make_sense(found: Evidence) -> Iterator[str]:
    for outcome in found.outcomes:
        for words in outcome.wrong:
            yield f"visit {outcome.visit.number}, job {outcome.job}: {words}"


def _tickets(charge: Row) -> tuple[str, str]:
    """What a purchase's ticket may be: the vendor's, or the receipt of its answer."""
    return charge["ticket"], f"receipt:{charge['purchase_id']}"


def _is(purchase: Row, purchase_id: str) -> bool:
    return bool(purchase["purchase_id"] == purchase_id)


def _id(purchase: Row | None) -> str:
    return purchase["purchase_id"] if purchase else ""


CHECKS: dict[str, Check] = {
    "nothing is left open": quiet,
    "nothing is charged twice": charged_once,
    "every charge is a purchase's that says so": accounted_for,
    "what is booked is what was charged": booked_as_charged,
    "every charged picture is kept, with its bytes": charged_pictures_are_kept,
    "every kept picture is one variant": kept_once,
    "the vault serves every picture, with its bytes": served_by_the_vault,
    "the CDN holds every file, and nothing else": on_the_cdn,
    "logs have no gap and end with one `completed`": logs_are_whole,
    "logs read as clients heard them": heard_as_written,
    "no cap is passed": within_caps,
    "no reservation, permit or owner is left": nothing_is_held,
    "costs add up": costs_add_up,
    "each request is one job": admitted_once,
    "answers make sense": answers_make_sense,
}
