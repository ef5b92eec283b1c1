"""The command line is a contract: verbs, options, JSON fields and exit codes may be added and never taken away.

`contract.json` has what was promised. `LADING_CONTRACT=write pytest tests/tools/test_contract.py` puts what is new in
there too, and takes nothing away.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

import click
import pytest

from lading.domain import errors
from lading.tools.cli import main
from lading.tools.cli.program import VERBS, program
from lading.tools.origin import Origin, Resource

CONTRACT = Path(__file__).with_name("contract.json")
README = Path(__file__).parents[2] / "README.md"
SIZE = 1000


def _command(verb):
    command = program.get_command(click.Context(program), verb)
    assert command is not None
    return command


def _options(command):
    """Return what a command takes, its own commands' under their names."""
    found = {"arguments": [], "options": []}
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            found["options"] += [*parameter.opts, *parameter.secondary_opts]
        else:
            found["arguments"].append(parameter.name)
    if isinstance(command, click.Group):
        found |= {name: _options(inner) for name, inner in getattr(command, "commands", {}).items()}
    return found


def _say(home, *words):
    """Run a command with --json, and return the objects on stdout and on stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        main(["--home", str(home), "--json", *map(str, words)])
    spoken = []
    for stream in (out, err):
        stream.flush()
        spoken.append([json.loads(line) for line in stream.buffer.getvalue().decode().splitlines()])
    return spoken


def _fields(rows):
    """Return the fields of objects, and those of the objects that lie in them in lists."""
    found = set()
    for row in rows:
        for name, value in row.items():
            found.add(name)
            if isinstance(value, list) and value and isinstance(value[0], dict):
                found |= {f"{name}[].{inner}" for item in value for inner in item}
    return found


def _spoken(home, origin):
    """Return the fields that each verb speaks in, after letting it."""
    fields = {}
    good, bad = origin.url("a"), origin.url("missing")
    story = {
        "get": ("get", good, bad, "--retries", "0"),
        "add": ("add", good, "--key", "k", "-o", "b"),
        "list": ("list",),
        "list --total": ("list", "--total"),
        "show": ("show", "k"),
        "why": ("why", "k"),
        "pause": ("pause", "k"),
        "prioritise": ("prioritise", "k", "1"),
        "limit": ("limit", "k", "1M"),
        "cancel": ("cancel", "k"),
        "retry": ("retry", "k"),
        "resume": ("resume", "k"),
        "run": ("run",),
        "wait": ("wait", "k"),
        "show of what ended": ("show", "k"),
        "history": ("history",),
        "stats": ("stats",),
        "health": ("health",),
        "stats --by host": ("stats", "--by", "host"),
        "stats --by cause": ("stats", "--by", "cause"),
        "stats --by day": ("stats", "--by", "day"),
        "log": ("log",),
        "replay --view queue": ("replay", "--view", "queue"),
        "replay --view progress": ("replay", "--view", "progress", "--id", "k"),
        "replay --view history": ("replay", "--view", "history"),
        "diff": ("diff", "0", "head"),
        "show --at-byte": ("show", "k", "--at-byte", "0"),
        "history --drift": ("history", "--url", good, "--drift"),
        "verify": ("verify", "--files"),
        "export": ("export", "events", "--to", home.parent / "events.jsonl"),
        "verify --export": ("verify", "--export", home.parent / "events.jsonl"),
        "sql --tables": ("sql", "--tables"),
        "receipt": ("receipt", "k", "-o", "k.receipt.json"),
        "verify-receipt": ("verify-receipt", "k.receipt.json"),
        "files": ("files",),
        "repair": ("repair", "k"),
        "repair --log": ("repair", "--log"),
        "incident": ("incident", "what.incident"),
        "replay --simulate": ("replay", "--simulate", "what.incident"),
        "clean": ("clean", "--older-than", "0s", "--dry-run"),
        "rebuild": ("rebuild",),
        "checkpoint": ("checkpoint",),
        "checkpoint --key": ("checkpoint", "--key"),
        "forget": ("forget", "k"),
        "remove": ("remove", "k", "--files"),
        "bundle add": ("bundle", "add", "pair", good, "-o", "c"),
        "bundle get": ("bundle", "get", "both", bad, "--retries", "0"),
        "bundle list": ("bundle", "list"),
        "bundle show": ("bundle", "show", "pair"),
        "bundle pause": ("bundle", "pause", "pair"),
        "bundle resume": ("bundle", "resume", "pair"),
        "bundle retry": ("bundle", "retry", "both"),
        "bundle cancel": ("bundle", "cancel", "pair"),
        "bundle remove": ("bundle", "remove", "pair"),
        "config": ("config",),
        "config set": ("config", "set", "retries", "1"),
        "doctor": ("doctor",),
        "hooks": ("hooks",),
        "hooks test": ("hooks", "test", "h"),
        "completion": ("completion", "bash"),
        "backup": ("backup", "../home.backup"),
        "verify --backup": ("verify", "--backup", "../home.backup"),
        "restore": ("restore", "../home.backup", "--dry-run"),
        "archive": ("archive",),
    }
    home.mkdir()
    (home / "settings.toml").write_text('[hooks.h]\ncommand = "true"\n')
    for name, words in story.items():
        fields[name] = _fields(_say(home, *words)[0])
        assert fields[name], f"{name} said nothing"
    fields["errors"] = _fields(_say(home, "show", "nobody")[1])
    fields["errors of lines"] = _fields(_say(home, "add", "-i", README)[1])
    (home.parent / "files" / "a").unlink()
    fields["findings"] = _fields(_say(home, "verify", "--files")[0])
    return fields


@pytest.fixture(scope="module")
def actual(tmp_path_factory):
    """What the command line is today."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / "files").mkdir()
    with Origin([Resource("a", SIZE)]) as origin, contextlib.chdir(folder / "files"):
        fields = _spoken(folder / "home", origin)
    codes = {name: kind.exit_code for name, kind in vars(errors).items() if isinstance(kind, type) and "Error" in name}
    return _plain(
        {
            "program": _options(program) | {"arguments": []},
            "verbs": {verb: _options(_command(verb)) for verb in VERBS},
            "fields": fields,
            "exit codes": {**codes, "interrupted": 130},
        }
    )


def _plain(value):
    """Return a contract as JSON has it, in an order that does not depend on anything."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in sorted(value.items())}
    return sorted(set(value)) if isinstance(value, set | list) else value


def _missing(promised, kept, where=""):
    """Walk what is promised and not kept."""
    if isinstance(promised, dict):
        for name, inner in promised.items():
            if name not in kept:
                yield f"{where}/{name}"
            else:
                yield from _missing(inner, kept[name], f"{where}/{name}")
    elif isinstance(promised, list):
        yield from (f"{where}: {item}" for item in promised if item not in kept)
    elif promised != kept:
        yield f"{where}: {promised} is {kept}"


def _grown(promised, kept):
    """Return both together."""
    if isinstance(kept, dict):
        return _plain({**promised, **{name: _grown(promised.get(name, type(v)()), v) for name, v in kept.items()}})
    return _plain([*promised, *kept]) if isinstance(kept, list) else kept


@pytest.mark.row("S3.12")
def test_nothing_that_was_promised_is_gone(actual):
    """Scripts that work today work tomorrow."""
    promised = json.loads(CONTRACT.read_text())
    assert list(_missing(promised, actual)) == []


def test_everything_that_is_there_is_promised(actual):
    """So that it stays; the module's docstring says how to add what is new."""
    promised = json.loads(CONTRACT.read_text()) if CONTRACT.exists() else {}
    if os.environ.get("LADING_CONTRACT") == "write":
        CONTRACT.write_text(json.dumps(_grown(promised, actual), indent=1) + "\n")
        promised = json.loads(CONTRACT.read_text())
    assert list(_missing(actual, promised)) == []


def test_a_field_a_verb_or_an_option_that_goes_is_noticed(actual):
    """The comparison can fail."""
    for path in (("fields", "list", "id"), ("verbs", "get", "options", "-o"), ("exit codes", "StoreError")):
        less = json.loads(json.dumps(actual))
        place = less
        for name in path[:-1]:
            place = place[name]
        place.remove(path[-1]) if isinstance(place, list) else place.pop(path[-1])
        assert len(list(_missing(actual, less))) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_and_each_option_has_help(verb):
    """And the list of verbs says in short what the verb's own help says first."""
    command = _command(verb)
    assert command.help
    assert command.help.startswith(VERBS[verb].rstrip("."))
    for inner in [command, *getattr(command, "commands", {}).values()]:
        assert all(option.help for option in inner.params if isinstance(option, click.Option)), inner.name


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_in_the_readme(verb):
    """Nobody finds what is not told."""
    if not README.exists():
        pytest.skip("there is no README in this checkout")
    assert f"lading {verb}" in README.read_text(encoding="utf-8").replace("lading --json ", "lading ")
