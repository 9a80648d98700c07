"""What a language model makes of a prompt, read from its answer."""

from services.generator import words
from services.generator.language.objects import Objects


def rewritten(answer: str) -> str:
    """The better prompt in *answer*, on one line or several; empty where there is none."""
    for said in Objects().feed(answer):
        prompt = said.get("prompt")
        if isinstance(prompt, str) and words.is_prompt(prompt.strip()):
            return prompt.strip()
    return ""
