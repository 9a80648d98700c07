"""
The language models there are, and what their tokens cost.

Prices are those of LiteLLM's table, release 1.109.1, which cites the companies' own pages.
"""

import math
from dataclasses import dataclass

from services.generator.language.seam import Question, Usage

_MILLION = 1_000_000
_AROUND = 512  # tokens that a company puts around a question
_PICTURE = 4096  # tokens that a picture of a thumbnail's size has at most anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model; *read* and *written* are micro-USD for a million tokens."""

    key: str
    vendor: str
    read: int
    written: int

    def cost(self, usage: Usage) -> int:
        """What *usage* costs in micro-USD, rounded up."""
        return math.ceil((usage.read * self.read + usage.written * self.written) / _MILLION)

    def most(self, question: Question) -> int:
        """The most in micro-USD that the answer to *question* can cost: no byte has two tokens."""
        text = len((question.instructions + question.text).encode("utf-8", "replace"))
        read = text + _PICTURE * len(question.pictures) + _AROUND
        return self.cost(Usage(read, question.most))


# The first of a vendor is the one that is asked where LANGUAGE_MODEL names none.
EVERY = (
    Entry(key="gpt-6-luna", vendor="openai", read=100_000, written=500_000),
    Entry(key="gpt-6.1-terra", vendor="openai", read=1_000_000, written=5_000_000),
    Entry(key="gpt-6.1-sol", vendor="openai", read=2_000_000, written=10_000_000),
    Entry(key="claude-haiku-5-5", vendor="anthropic", read=100_000, written=500_000),
    Entry(key="claude-sonnet-5-5", vendor="anthropic", read=2_000_000, written=10_000_000),
    Entry(key="claude-opus-5-5", vendor="anthropic", read=4_000_000, written=20_000_000),
    Entry(key="gemini-3.5-flash-lite", vendor="google", read=300_000, written=2_500_000),
    Entry(key="gemini-3.8-flash", vendor="google", read=750_000, written=3_750_000),
)
