"""What comes back, for the description at /openapi.json; the JSON itself is made in render.py."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.bodies import Role, State

Id = Annotated[str, Field(pattern=r"^[0-9]+$", description="A number, as text.")]
Usd = Annotated[float, Field(ge=0, description="US dollars, up to six decimals.")]
Milliseconds = Annotated[int, Field(ge=0, description="At the vendor; null: not measured.")]
VaultUrl = Annotated[
    str,
    Field(
        description="The studio's own link: works for ever, published or not; /thumbnail after it "
        "brings the preview. Null only on events from before there was one."
    ),
]


class Answer(BaseModel):
    """An object that may gain fields."""

    model_config = ConfigDict(protected_namespaces=())


class Problem(Answer):
    """RFC 9457: what went wrong and what to do."""

    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="What to do about it.")]
    code: Annotated[str, Field(description="A reason of the contract, such as REQUEST_INVALID.")]
    instance: str | None = None
    fields: Annotated[
        dict[str, str] | None, Field(description="What is wrong, by the argument's name.")
    ] = None
    retry_after: Annotated[float | None, Field(description="Seconds.")] = None


class ModelEstimate(Answer):
    """One model's part of an estimate."""

    model: str
    image_count: int
    purchase_count: int
    cost_usd: Usd | None


class JobEstimate(Answer):
    """The most that a job can cost, and what it should cost."""

    reserved_usd: Usd
    expected_usd: Usd
    smart_prompt_usd: Annotated[
        Usd | None,
        Field(description="For the rewriting of the prompt, beside the others; null without."),
    ] = None
    models: list[ModelEstimate]


class CostEstimate(JobEstimate):
    """An estimate, and what the spend cap leaves; null where there is no cap."""

    remaining_usd: Usd | None


class Started(Answer):
    """An admitted job; replayed: the request was seen before."""

    job_id: Id
    state: State
    estimate: JobEstimate
    replayed: bool


class Image(Answer):
    """One kept image; its links never rot."""

    job_id: Id
    variant_id: Id
    purchase_id: str
    model: str
    version_number: int
    url: str
    thumbnail_url: str
    vault_url: VaultUrl | None
    image_hash: Annotated[str, Field(description="SHA-256 of the bytes, in hex.")]
    media_type: str
    size_bytes: int
    width: int
    height: int
    seed: int | None
    cost_usd: Usd | None
    generation_time_ms: Milliseconds | None


class Failure(Answer):
    """
    A purchase that brought nothing. charged is null where nobody can tell: cost_usd then counts
    as spent until it is settled. cost_usd is null only on events from before there was one.
    """

    purchase_id: str
    model: str
    reason: str
    message: str
    charged: bool | None
    cost_usd: Usd | None


class JobSummary(Answer):
    """
    A job, as lists tell it.

    At risk is what counts as spent, or is held, for purchases of which nobody knows whether
    they were charged: still being looked up, or ended with charged null.
    """

    job_id: Id
    state: State
    cost_usd: Usd
    at_risk_usd: Usd
    at_risk_count: int
    title: str
    prompt: str
    enhanced_prompt: Annotated[
        str, Field(description="What a language model made of it; empty where none did.")
    ] = ""
    enhanced_by: str = ""
    models: list[str]
    count: int
    aspect: str | None
    project: str
    use_case: str
    preset_used: str
    request_id: str
    retry_of: Annotated[
        Id | None, Field(description="The job whose unclear purchases this one repeats.")
    ]
    last_sequence: int
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


class Job(JobSummary):
    """A job with its images and failures."""

    images: list[Image]
    failures: list[Failure]


class Settlement(Answer):
    """What somebody told of a purchase, and what counted as spent for it until then."""

    purchase_id: str
    charged: bool
    cost_usd: Usd
    counted_usd: Usd
    settled_by: Annotated[Id, Field(description="The user.")]
    settled_at: datetime


class Settled(Job):
    """A job after one of its purchases was settled."""

    settlement: Settlement


class Jobs(Answer):
    """A page of jobs, newest first."""

    jobs: list[JobSummary]
    next_page_token: str


class Variant(Answer):
    """One kept image with all that is known of it."""

    variant_id: Id
    job_id: Id
    version_number: int
    model: str
    model_key: str
    model_version: str
    original_prompt: str
    enhanced_prompt: str
    enhanced_by: str
    negative_prompt: str
    parameters: dict[str, Any]
    url: str
    cdn_url: str
    thumbnail_url: str
    vault_url: VaultUrl
    width: int
    height: int
    seed: int | None
    generation_time_ms: Milliseconds | None
    cost_usd: Usd | None
    replicate_prediction_id: str | None
    image_hash: str
    is_favorite: bool
    user_rating: Annotated[int, Field(ge=1, le=5)] | None
    purchase_id: str
    media_type: str
    size_bytes: int
    created_at: datetime
    published_at: datetime | None
    deleted_at: datetime | None
    etag: str


class Variants(Answer):
    """A page of variants; by words, best first, else newest first."""

    variants: list[Variant]
    next_page_token: str


class Preset(Answer):
    """A recipe, one's own or the system's."""

    preset_id: Id
    preset_key: str
    name: str
    display_name: str
    model_key: str
    parameters: dict[str, Any]
    batch_count: int | None
    smart_prompt_enabled: bool
    use_case: str
    is_system: bool
    prompt_template: str
    negative_prompt: str
    created_at: datetime | None
    updated_at: datetime | None
    etag: str


class Presets(Answer):
    """A page of presets, by key."""

    presets: list[Preset]
    next_page_token: str


class Reference(Answer):
    """A picture to work from; *id* names it in the references of a job."""

    id: str
    url: str
    thumbnail_url: str
    media_type: str
    width: int
    height: int


class Capabilities(Answer):
    """What a model takes and does."""

    aspect_ratios: list[str]
    sizes: list[str]
    flexible_size: bool
    max_images_per_purchase: int
    max_references: int
    reference_roles: list[Role]
    negative_prompt: bool
    seed: bool
    previews: bool
    cancelable: bool
    resumable: bool
    media_types: list[str]
    max_prompt_characters: int


class Model(Answer):
    """An image model; typical_time in seconds. Why it is degraded: state_reason, state_message."""

    key: str
    display_name: str
    provider: str
    state: Literal["active", "disabled", "degraded", "retired", "unspecified"]
    state_reason: str
    state_message: str
    capabilities: Capabilities
    parameters_schema: dict[str, Any]
    price_per_image_usd: Usd | None
    typical_time: float | None
    retire_time: datetime | None
    successor: str
    price_source: str
    price_date: str


class Models(Answer):
    """The models, by key."""

    models: list[Model]


class SpendCap(Answer):
    """What a month may cost and has cost; cap_usd and remaining_usd are null without a cap."""

    period: str
    cap_usd: Usd | None
    spent_usd: Usd
    reserved_usd: Usd
    unclear_usd: Usd
    remaining_usd: Usd | None
    period_end_time: datetime | None


class UsageLine(Answer):
    """What one model, project, use case or day cost, and how much of it may be a mistake."""

    key: str
    image_count: int
    purchase_count: int
    cost_usd: Usd
    at_risk_count: int
    at_risk_usd: Usd


class Usage(Answer):
    """
    What was spent, and on what.

    At risk is, of whatever time, what counts as spent or is held for purchases of which nobody
    knows whether they were charged; of the lines, of the time that was asked for.
    """

    cap: SpendCap
    lines: list[UsageLine]
    total_usd: Usd
    language_usd: Usd
    at_risk_count: int
    at_risk_usd: Usd


class Event(Answer):
    """One server-sent event of a job."""

    event: Literal[
        "accepted", "queued", "prompt_enhanced", "purchased", "image_kept", "image_published",
        "warning", "purchase_ended", "unclear", "charge_settled", "completed", "progress",
        "preview", "error",
    ]  # fmt: skip
    id: Annotated[Id | None, Field(description="On durable events: 1, 2, 3 … in the job.")] = None
    data: Annotated[
        str,
        Field(
            description="JSON. image_kept has an Image; completed a job's state, images, failures, "
            "cost_usd and at_risk_usd; error a Problem; accepted, the first, job_id and estimate; "
            "preview an unfinished picture as base64, small and told once."
        ),
    ]


class WordsEvent(Answer):
    """One server-sent event of suggestions or of an analysis."""

    event: Literal["suggestion", "text_delta", "finding", "summary", "error"]
    data: Annotated[
        str,
        Field(
            description="JSON. suggestion has index, title, prompt, parameters; text_delta "
            "reference_index and text; finding description, styles, palette, suggested_prompt; "
            "summary who wrote it (suggested_by or analyzed_by; `built-in` is free) and cost_usd; "
            "error a Problem."
        ),
    ]


class Enhanced(Answer):
    """A rewritten prompt, who wrote it and what that cost."""

    prompt: str
    enhanced_by: str
    cost_usd: Usd | None


class Health(Answer):
    """That the gateway runs."""

    status: Literal["ok"]


class Readiness(Answer):
    """That every service behind the gateway runs."""

    status: Literal["ready"]
    services: dict[str, bool]
