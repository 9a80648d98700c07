"""
The commands of `studio`. Each imports what it needs when it runs, so that all start quickly.

Exit status: 0 well, 1 not, 2 misused, 78 wrong settings, 130 left by Ctrl-C.
"""

# ruff: noqa: FBT002  (an option of the command line is a parameter here)

import errno
import os
import signal
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from chassis.settings import EX_CONFIG, SettingsError
from cli import accounts, care, language, proofs
from cli.calls import edge as _edge
from cli.calls import end as _end
from cli.calls import ensure as _ensure
from cli.calls import finite as _finite
from cli.calls import say as _say
from cli.calls import troubled as _troubled
from cli.folder import CannotUse, Folder
from cli.options import AsJson, Lab
from cli.settings import CHECKOUT, load
from cli.shape import Shape


class Commands(TyperGroup):
    """Tells of Ctrl-C, of which typer says nothing, in the words of whoever was left."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as left:
            _end([str(left) or "interrupted"], 130)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One prompt, many image models, every picture kept for good.",
)
jobs_app = typer.Typer(help="Past and running jobs.", invoke_without_command=True)
keys_app = typer.Typer(help="API keys, for a stack with AUTH=keys.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")
app.add_typer(keys_app, name="keys")

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many.")]
Parameters = Annotated[
    list[str] | None, typer.Option("--param", "-p", help="[MODEL.]KEY=VALUE, repeatable.")
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference", "-r", help="An input image: FILE, URL or id, and [:ROLE]. Repeatable."
    ),
]
Successor = Annotated[
    bool, typer.Option("--allow-successor", help="Draw with what replaces a retired model.")
]
Smart = Annotated[
    bool | None,
    typer.Option("--smart/--no-smart", help="Have a language model rewrite the prompt first."),
]


def main() -> NoReturn:
    """Run a command; what is known to go wrong ends in a line that says what to do."""
    try:
        _run()
    except SettingsError as error:
        _end([f"settings: {problem}" for problem in error.problems], EX_CONFIG)
    except CannotUse as error:
        _end([str(error)], 1)
    except KeyboardInterrupt:
        _end(["interrupted"], 130)
    except BrokenPipeError:  # `studio logs | head`
        _forget_output()
        _end([], 141)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _forget_output()
        _end(["there is no space left for what is written here; free some, and try again"], 1)
    sys.exit(0)


def _run() -> None:
    try:
        app(prog_name="studio")
    finally:
        sys.stdout.flush()  # here, where a disk that is full can still be told of


def _forget_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def up(
    generators: Annotated[
        int | None, typer.Option(min=1, max=16, help="Generators side by side; one by default.")
    ] = None,
    lab: Lab = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when ready.")] = False,
) -> None:
    """Start the stack here and keep it running until Ctrl-C, which exits 130."""
    shape = Shape(generators, lab)
    if not detach:
        command = [sys.executable, "-P", "-m", "cli.supervisor", *shape.to_arguments()]
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # kept for it until it has loaded
        os.execv(sys.executable, command)  # noqa: S606
    print(_ensure(load(), shape)["url"])


@app.command()
def down() -> None:
    """End the stack of this folder. Everything that was made stays."""
    from cli import stack

    folder = Folder(load().data)
    _say("stopped" if stack.end(folder) else f"no stack runs in {folder.path}")


@app.command()
def ps(as_json: AsJson = False) -> None:
    """List the processes of the running stack."""
    import json

    folder = Folder(load().data)
    state = folder.read_state() or {"processes": []}
    if as_json:
        print(json.dumps(state["processes"]))
        return
    for one in state["processes"]:
        print(f"{one['name']:<14}{one['pid']:>8}  port {one['port']}")
    if not state["processes"]:
        _say(f"no stack runs in {folder.path}; ./studio up starts one")


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A process, as `studio ps` names it.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each.")] = 20,
) -> None:
    """Show what the processes wrote."""
    from cli.tail import show

    show(Folder(load().data).logs, name, lines=lines, follow=follow)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is configured, missing or unreachable, and what to do about it."""
    from cli.doctor import examine

    raise typer.Exit(examine(as_json=as_json))


@app.command(context_settings={"allow_extra_args": True})
def generate(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What to draw; - reads it from standard input.")],
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Repeatable.")] = None,
    count: Annotated[int | None, typer.Option("--count", "-c", help="Images a model.")] = None,
    seed: Annotated[int | None, typer.Option(help="For a repeatable result.")] = None,
    aspect: Annotated[str, typer.Option(help="Such as 16:9.")] = "",
    size: Annotated[str, typer.Option(help="Such as 1024x768.")] = "",
    negative: Annotated[str, typer.Option(help="What not to draw.")] = "",
    preset: Annotated[str, typer.Option(help="Key of a preset; see studio presets.")] = "",
    project: Annotated[str, typer.Option(help="A label to group by.")] = "",
    title: Annotated[str, typer.Option(help="A name for the job.")] = "",
    param: Parameters = None,
    reference: References = None,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, callback=_finite, help="Refuse above this many US dollars."),
    ] = None,
    allow_successor: Successor = False,
    smart: Smart = None,
    lab: Lab = False,
    as_json: AsJson = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the images in a browser.")] = False,
) -> None:
    """Draw, and print permanent links. Starts a stack that stays if none runs."""
    from cli.generate import Order, run

    if context.args:
        _end([f"{context.args[0]!r} is one word too many: put the prompt into quotes"], 2)
    settings = load()
    order = Order(
        prompt=prompt, models=model or [], count=count, seed=seed, aspect=aspect, size=size,
        negative_prompt=negative, preset=preset, project=project, title=title,
        parameters=param or [], references=reference or [], max_cost_usd=max_cost,
        allow_successor=allow_successor, smart_prompt=smart,
    )  # fmt: skip
    request = _troubled(order.to_request)  # what makes no sense starts no stack
    _ensure(settings, Shape(lab=lab))
    raise typer.Exit(_troubled(lambda: run(_edge(settings), request, as_json=as_json, open_=open_)))


@jobs_app.callback()
def jobs(
    context: typer.Context,
    limit: Limit = 20,
    at_risk: Annotated[
        bool, typer.Option("--at-risk", help="Of which nobody knows whether all was charged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the newest jobs."""
    if context.invoked_subcommand:
        return
    from cli.lists import jobs as show

    _troubled(lambda: show(_edge(load()), limit, at_risk=at_risk, as_json=as_json))


@jobs_app.command("watch")
def watch(job_id: Annotated[str, typer.Argument(metavar="ID")], as_json: AsJson = False) -> None:
    """Watch a job from its first event to its end."""
    from cli.job import follow

    settings = load()
    edge = _edge(settings)

    def shown() -> int:
        if Folder(settings.data).read_state() is None:  # in containers, or nowhere at all
            edge.get("/healthz")
        return follow(edge.watch(job_id, _say), as_json=as_json)

    raise typer.Exit(_troubled(shown))


@app.command()
def models(
    check: Annotated[
        bool, typer.Option("--check", help="Try each in every way; needs a stack with the lab.")
    ] = False,
    only: Annotated[list[str] | None, typer.Option(help="With --check; repeatable.")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="With those sold no more.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that can draw here."""
    if only and not check:
        raise typer.BadParameter("it goes with --check", param_hint="--only")
    if retired and check:
        raise typer.BadParameter("nothing draws with those", param_hint="--retired")
    settings = load()
    if not check:
        from cli.lists import models as show

        _troubled(lambda: show(_edge(settings), retired=retired, as_json=as_json))
        return
    from cli import lab
    from cli.check import run

    folder = Folder(settings.data)
    sheet = folder.path / "contact-sheet.png"
    status = _troubled(
        lambda: run(_edge(settings), lab.of(folder), sheet, only=only or [], as_json=as_json)
    )
    raise typer.Exit(status)


@app.command()
def presets(as_json: AsJson = False) -> None:
    """List the presets."""
    from cli.lists import presets as show

    _troubled(lambda: show(_edge(load()), as_json=as_json))


app.command()(proofs.rot)
app.command()(proofs.chaos)
app.command()(accounts.usage)
app.command()(accounts.cap)
app.command()(language.suggest)
app.command()(language.analyze)
jobs_app.command("show")(accounts.show)
jobs_app.command("cancel")(accounts.cancel)
jobs_app.command("retry-unclear")(accounts.retry_unclear)
jobs_app.command("settle")(accounts.settle)


@keys_app.command("create")
def create_key(
    label: Annotated[str, typer.Argument(help="What it is for, such as a laptop.")],
    user: Annotated[
        str, typer.Option(help="Whose it is; a new name is a new user, with work of their own.")
    ] = "local",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="generate, read, write, caps, keys; the first three if none is named."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: it is shown this once."""
    from cli.keys import create

    _troubled(lambda: create(load(), label, user, scope or [], as_json=as_json))


@keys_app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List every user's keys, without the keys themselves."""
    from cli.keys import list_all

    _troubled(lambda: list_all(load(), as_json=as_json))


@keys_app.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Revoke a key; within a second nobody comes in with it."""
    from cli.keys import revoke

    _troubled(lambda: revoke(load(), key))


for command in (care.backup, care.restore, care.rebuild):
    app.command()(command)


@app.command(
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "help_option_names": [],
    }
)
def test(context: typer.Context) -> None:
    """Run the tests; --release adds the long ones, all else goes to pytest."""
    arguments = [argument for argument in context.args if argument != "--release"]
    endless = ["-o", "faulthandler_timeout=0"]  # a campaign may take as long as it takes
    marks = endless if "--release" in context.args else ["-m", "not release"]
    if not arguments:  # all of them: most wait for real processes, so three at a time
        marks += ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
        marks += ["--max-worker-restart=0"]  # else what made a worker end is run again for ever
    os.chdir(CHECKOUT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *marks, *arguments])  # noqa: S606
