"""
The commands behind the language calls: suggest prompts, describe references, enhance a prompt.

With a language model each is paid for under the caller's cap; a broken one is asked for again
by whoever wants it, never by us. Without one the built-in suggester and analyst answer, free
and named so; nothing built in enhances.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.type.v1 import cost_pb2
from services.generator import words
from services.generator.language import failures, instructions, rewriting
from services.generator.language.beat import beating
from services.generator.language.built_in import BUILT_IN, BuiltIn
from services.generator.language.call import Call, Voice
from services.generator.language.findings import Finding, Suggestion, Unfit
from services.generator.language.looks import Looks
from services.generator.language.meter import Meter
from services.generator.language.objects import Objects, begun
from services.generator.models import Registry

MOST_SUGGESTIONS, USUAL_SUGGESTIONS = 12, 4
MOST_REFERENCES = 4
_LONGEST = 4000  # characters of an idea or an instruction
_TAG = re.compile(r"(?:[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linguist:
    """Acts for the user of the running call; *voice* None where no language model is set up."""

    meter: Meter
    voice: Voice | None
    built_in: BuiltIn
    registry: Registry
    looks: Looks

    def suggest(
        self, request: pb.SuggestPromptsRequest
    ) -> AsyncIterator[pb.SuggestPromptsResponse]:
        """Propose prompts, each as soon as it is whole; the summary is last."""
        _check("seed_text", request.seed_text)
        _check_tag(request.language_code)
        count = request.suggestion_count or USUAL_SUGGESTIONS
        if not 1 <= count <= MOST_SUGGESTIONS:
            raise words.invalid("suggestion_count", f"must be from 1 to {MOST_SUGGESTIONS}")
        if request.model:
            self.registry.known(request.model)
        source = self._suggested(request, count)
        return beating(source, lambda: pb.SuggestPromptsResponse(heartbeat=pb.StreamHeartbeat()))

    def analyze(
        self, request: pb.AnalyzeReferencesRequest
    ) -> AsyncIterator[pb.AnalyzeReferencesResponse]:
        """Describe each reference as text that comes, then as a finding; the summary is last."""
        if not 1 <= len(request.references) <= MOST_REFERENCES:
            raise words.invalid("references", f"must be 1 to {MOST_REFERENCES} images")
        if request.instruction:
            _check("instruction", request.instruction)
        _check_tag(request.language_code)
        assets = [self.looks.asset(reference) for reference in request.references]
        source = self._analyzed(request, assets)
        return beating(source, lambda: pb.AnalyzeReferencesResponse(heartbeat=pb.StreamHeartbeat()))

    async def enhance(self, request: pb.EnhancePromptRequest) -> pb.EnhancePromptResponse:
        """Rewrite a prompt."""
        words.check_prompt(request.prompt)
        _check_tag(request.language_code)
        words.check_models("models", request.models)
        for place, key in enumerate(request.models):
            self.registry.known(key, field=f"models[{place}]")
        voice = self._voice()
        asked = request.prompt, [*request.models], request.use_case, request.language_code
        call = Call(
            voice=voice, meter=self.meter, purpose="enhance",
            question=instructions.enhance(*asked), keep=rewriting.rewritten,
        )  # fmt: skip
        async with call.holding(), aclosing(call.text()) as pieces:  # type: ignore[type-var]
            async for _ in pieces:
                pass
        if not (better := rewriting.rewritten(call.said)):
            raise call.unfit("no prompt is in it")
        return pb.EnhancePromptResponse(prompt=better, enhanced_by=voice.entry.key, cost=call.cost)

    def _voice(self) -> Voice:
        if self.voice is None:
            raise failures.not_configured()
        return self.voice

    async def _suggested(
        self, request: pb.SuggestPromptsRequest, count: int
    ) -> AsyncIterator[pb.SuggestPromptsResponse]:
        if self.voice is None:
            for index, suggestion in enumerate(
                await self.built_in.suggest(request.seed_text, count)
            ):
                yield _suggestion(index, suggestion)
            yield pb.SuggestPromptsResponse(
                summary=pb.SuggestionSummary(suggested_by=BUILT_IN, cost=_free())
            )
            return
        asked = request.seed_text, count, request.model, request.language_code
        question = instructions.suggest(*asked)
        call = Call(voice=self.voice, meter=self.meter, purpose="suggest", question=question)
        objects, found = Objects(), _Found(count)
        async with call.holding(), aclosing(call.text()) as pieces:  # type: ignore[type-var]
            yield pb.SuggestPromptsResponse(heartbeat=pb.StreamHeartbeat())
            async for piece in pieces:
                for suggestion in found.fitting(objects.feed(piece)):
                    yield _suggestion(found.count - 1, suggestion)
        left_out = found.left_out + objects.broken + objects.open
        if not found.count:
            raise call.unfit(found.why or "no suggestion is in it")
        name = self.voice.entry.key
        summary = pb.SuggestionSummary(suggested_by=name, cost=call.cost, left_out=left_out)
        yield pb.SuggestPromptsResponse(summary=summary)

    async def _analyzed(
        self, request: pb.AnalyzeReferencesRequest, assets: list[str]
    ) -> AsyncIterator[pb.AnalyzeReferencesResponse]:
        total = _free()
        for index, asset in enumerate(assets):
            picture = await self.looks.picture(asset)
            if self.voice is None:
                finding = await self.built_in.analyze(picture)
                yield pb.AnalyzeReferencesResponse(finding=_finding(index, finding))
                continue
            asked = request.instruction, picture, request.language_code
            question = instructions.analyze(*asked)
            call = Call(voice=self.voice, meter=self.meter, purpose="analyze", question=question)
            described = _described(index, call)
            async with call.holding(), aclosing(described) as answers:  # type: ignore[type-var]
                yield pb.AnalyzeReferencesResponse(heartbeat=pb.StreamHeartbeat())
                async for answer in answers:
                    yield answer
            total.usd_micros += call.cost.usd_micros
            total.basis = min(total.basis, call.cost.basis)  # ESTIMATED before METERED
        name = self.voice.entry.key if self.voice else BUILT_IN
        yield pb.AnalyzeReferencesResponse(summary=pb.AnalysisSummary(analyzed_by=name, cost=total))


@dataclass(slots=True)
class _Found:
    """Counts what fits, to *most*."""

    most: int
    count: int = 0
    left_out: int = 0
    why: str = ""

    def fitting(self, objects: list[dict[str, object]]) -> Iterator[Suggestion]:
        for said in objects:
            try:
                suggestion = Suggestion.read({"parameters": {}} | said)
            except Unfit as unfit:
                self.left_out, self.why = self.left_out + 1, self.why or str(unfit)
                continue
            if self.count < self.most:
                self.count += 1
                yield suggestion


async def _described(index: int, call: Call) -> AsyncIterator[pb.AnalyzeReferencesResponse]:
    """What *call* tells of the reference *index*: text as it comes, then the finding."""
    objects, told, found, why = Objects(), 0, False, "no finding is in it"
    async with aclosing(call.text()) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            if text := begun(call.said, "description")[told:]:
                told += len(text)
                yield pb.AnalyzeReferencesResponse(
                    text_delta=pb.ReferenceText(reference_index=index, text=text)
                )
            for said in objects.feed(piece):
                try:
                    finding = _finding(index, Finding.read(said))
                except Unfit as unfit:
                    why = str(unfit)
                    continue
                if not found:
                    found = True
                    yield pb.AnalyzeReferencesResponse(finding=finding)
    if not found:
        raise call.unfit(why)


def _check(field: str, text: str) -> None:
    words.check_text(field, text, _LONGEST)
    if not text.strip():
        raise words.invalid(field, "must not be blank")


def _check_tag(tag: str) -> None:
    if not _TAG.fullmatch(tag):
        raise words.invalid("language_code", "must be a BCP 47 tag such as de or pt-BR")


def _free() -> cost_pb2.Cost:
    return cost_pb2.Cost(basis=cost_pb2.COST_BASIS_METERED)


def _suggestion(index: int, found: Suggestion) -> pb.SuggestPromptsResponse:
    made = pb.PromptSuggestion(index=index, title=found.title, prompt=found.prompt)
    made.parameters.update(dict(found.parameters))  # type: ignore[arg-type]
    return pb.SuggestPromptsResponse(suggestion=made)


def _finding(index: int, found: Finding) -> pb.ReferenceFinding:
    return pb.ReferenceFinding(
        reference_index=index,
        description=found.description,
        styles=found.styles,
        palette=[pb.Swatch(hex=swatch.hex, share=swatch.share) for swatch in found.palette],
        suggested_prompt=found.suggested_prompt,
    )
