"""What comes from others is printed as text and never as a terminal's commands."""

import pytest

from cli import screen

EVIL = "a\x1b]0;title\x07 b\x1b[31m\x9b2J\tc"


@pytest.fixture(params=["say", "complain", "table", "bars"])
def printed(request, capsys):
    match request.param:
        case "say":
            screen.say(EVIL)
        case "complain":
            screen.complain(EVIL)
        case "table":
            screen.print_table(("words",), [(EVIL,)])
        case "bars":
            with screen.Bars() as bars:
                bars.say(EVIL)
                bars.end("p1", "sketch", EVIL, good=False)
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_a_prompt_cannot_command_the_terminal(printed):
    assert "title" in printed
    assert not {"\x1b", "\x07", "\x9b"} & set(printed)
