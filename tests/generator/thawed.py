"""
Sources as mypyc makes the most of them, with the same meaning: constants that are final, and
value classes written out, since what `dataclass` and `NamedTuple` make is interpreted for ever.

Nobody reads the copy that is compiled, or sets what is frozen in it: mypy has seen to that.
"""

import ast
import re

_CONSTANT = re.compile(r"_?[A-Z][A-Z_]*")
_TOLD = """
import dataclasses as _made
from typing import Any as _Any, ClassVar as _Class, Final
def _fields(names: list[str]) -> _Any:
    made: _Any = _made.make_dataclass("Named", names)
    return made.__dataclass_fields__
"""


def thawed(source: str) -> str:
    """Return *source* so, without its comments."""
    tree = ast.parse(source)
    names = [each.id for each in ast.walk(tree) if _is_set(each)]
    body: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            _write_out(node)
        body.append(_final(node) if names.count(_constant(node)) == 1 else node)
    at = 1 if ast.get_docstring(tree) else 0
    tree.body = [*body[:at], *ast.parse(_TOLD).body, *body[at:]]
    return ast.unparse(tree)


def _is_set(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _constant(node: ast.stmt) -> str:
    """The name of the constant that *node* sets, if it does."""
    match node:
        case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name), value=_):
            return name if _CONSTANT.fullmatch(name) and node.value else ""
    return ""


def _final(node: ast.stmt) -> ast.stmt:
    made = _constant(node)
    kind = f"Final[{ast.unparse(node.annotation)}]" if isinstance(node, ast.AnnAssign) else "Final"
    return ast.parse(f"{made}: {kind} = {ast.unparse(node.value)}").body[0]


def _write_out(node: ast.ClassDef) -> None:
    """Have the class *node* make, compare and copy itself, if it is one of values."""
    how = [*map(ast.unparse, node.decorator_list), *map(ast.unparse, node.bases)]
    if not how or not how[0].startswith(("dataclass", "NamedTuple")):
        return
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
    names = [ast.unparse(each.target) for each in fields]
    made = [_init(fields, by_name="kw_only=True" in how[0]), *_likeness(node.name, names)]
    if "kw_only=True" not in how[0]:
        made += _copies(node.name, names)
    if "frozen=True" in how[0] or how[0] == "NamedTuple":
        mine = ", ".join(f"self.{name}" for name in names)
        made.append(_function("__hash__(self) -> int", f"return hash(({mine}))"))
    node.decorator_list, node.bases = [], []
    for each in fields:
        each.value = None
    node.body += ast.parse("\n".join(made)).body


def _init(fields: list[ast.AnnAssign], *, by_name: bool) -> str:
    taken, kept = ["self", "*"] if by_name and fields else ["self"], []
    for each in fields:
        name, kind = ast.unparse(each.target), ast.unparse(each.annotation)
        value = ast.unparse(each.value) if each.value else None
        if value and value.startswith("field("):
            made = value.removeprefix("field(default_factory=").removesuffix(")")
            taken.append(f"{name}: {kind} | None = None")
            kept.append(f"self.{name} = {made}() if {name} is None else {name}")
        else:
            taken.append(f"{name}: {kind}" + (f" = {value}" if value else ""))
            kept.append(f"self.{name} = {name}")
    return _function(f"__init__({', '.join(taken)}) -> None", *kept, "pass")


def _likeness(called: str, names: list[str]) -> list[str]:
    alike = " and ".join(["True", *(f"self.{name} == other.{name}" for name in names)])
    shown = ", ".join(f"{name}={{self.{name}!r}}" for name in names)
    return [
        f"__match_args__ = {tuple(names)!r}",
        f"__dataclass_fields__: _Class[_Any] = _fields({names!r})",  # as `replace` asks for them
        _function(
            "__eq__(self, other: object) -> bool",
            f"return {alike} if isinstance(other, {called}) else NotImplemented",
        ),
        _function("__repr__(self) -> str", f"return f'{called}({shown})'"),
    ]


def _copies(called: str, names: list[str]) -> list[str]:
    """As `pickle` asks for one, since without arguments a compiled class makes nothing; and as
    a NamedTuple has it."""
    mine = "".join(f"self.{name}, " for name in names)
    return [
        _function("__reduce__(self) -> tuple[object, ...]", f"return {called}, ({mine})"),
        _function(
            f"_replace(self, **changed: _Any) -> '{called}'",
            f"made = {called}({mine})",
            "for name, value in changed.items():\n        setattr(made, name, value)",
            "return made",
        ),
    ]


def _function(head: str, *lines: str) -> str:
    return "\n    ".join([f"def {head}:", *lines])
