"""`studio suggest` and `studio analyze`: asked for once, printed as it comes, ended or told."""

import json

import httpx
import pytest

from chassis.settings import Secret
from cli.edge import Edge, Trouble
from cli.wording import analysis, pictures, suggestions

IDEA = {"seed_text": "the sea"}
ONE = {"index": 0, "title": "A storm", "prompt": "the sea \x1b[31m", "parameters": {}}
SUMMARY = {"suggested_by": "built-in", "cost_usd": 0.0, "left_out": 0}
FINDING = {
    "reference_index": 0, "description": "A sea.", "styles": ["calm"],
    "palette": [{"hex": "#102030", "share": 0.5}], "suggested_prompt": "a calm sea",
}  # fmt: skip
TOLD = {"analyzed_by": "some-model", "cost_usd": 0.001}


class Script(httpx.BaseTransport):
    """Answers each request with the next line, and remembers what was asked."""

    def __init__(self, *lines):
        self.lines, self.asked = list(lines), []

    def handle_request(self, request):
        self.asked.append((request.url.path, request.read()))
        return self.lines.pop(0)


def edge(script):
    return Edge("http://edge.test", Secret("isk_x"), transport=script)


def stream(*events):
    text = "".join(f"event: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in events)
    return httpx.Response(200, text="retry: 1000\n\n:\n\n" + text)


def test_suggestions_are_printed_without_what_harms_a_terminal(capsys):
    suggestions(
        edge(Script(stream(("suggestion", ONE), ("summary", SUMMARY)))), IDEA, as_json=False
    )
    shown = capsys.readouterr()
    assert shown.out == "A storm\n  the sea \ufffd[31m\n"
    assert "built-in" in shown.err


def test_as_json_all_of_it_is_one_line(capsys):
    suggestions(edge(Script(stream(("suggestion", ONE), ("summary", SUMMARY)))), IDEA, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"suggestions": [ONE], **SUMMARY}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (stream(("suggestion", ONE)), "ended early"),
        (stream(("error", {"detail": "It was lost.", "status": 502})), "It was lost."),
        (httpx.Response(402, json={"detail": "Over the cap."}), "Over the cap."),
        (httpx.Response(503, json={"detail": "Just starting."}), "Just starting."),
    ],
)
def test_what_breaks_off_is_told_and_never_asked_for_again(line, why):
    script = Script(line)
    with pytest.raises(Trouble, match=why):
        suggestions(edge(script), IDEA, as_json=True)
    assert len(script.asked) == 1


def test_files_are_uploaded_and_ids_are_not(capsys, tmp_path):
    file, known = tmp_path / "sea.png", "ab" * 32
    file.write_bytes(b"PNG")
    texts = [("text_delta", {"reference_index": 0, "text": text}) for text in ("A ", "sea.")]
    script = Script(
        httpx.Response(201, json={"id": "cd" * 32}),
        stream(*texts, ("finding", FINDING), ("finding", FINDING), ("summary", TOLD)),
    )
    analysis(edge(script), pictures([str(file), known]), {"instruction": "look"}, as_json=False)
    (upload, content), (path, body) = script.asked
    assert (upload, content) == ("/images/references", b"PNG")
    assert path == "/images/analyze-references/stream"
    assert json.loads(body) == {
        "references": [{"id": "cd" * 32}, {"id": known}], "instruction": "look",
    }  # fmt: skip
    shown = capsys.readouterr()
    rest = "  styles: calm\n  colours: #102030 50%\n  prompt: a calm sea\n"
    assert shown.out == f"A sea.\n{rest}A sea.\n{rest}"
    assert "some-model" in shown.err


def test_a_file_that_is_not_there_is_told_before_anything_is_asked(tmp_path):
    with pytest.raises(Trouble, match="No such file"):
        pictures([str(tmp_path / "none.png")])
