"""`lading completion`: for shells."""

from __future__ import annotations

import click

from lading.tools.cli.frame import Frame, verb


@verb()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(frame: Frame, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash   eval "$(lading completion bash)"
    zsh    eval "$(lading completion zsh)"
    fish   lading completion fish | source
    """  # noqa: D301 # the backspace tells click to leave the lines as they are
    from click.shell_completion import get_completion_class

    from lading.tools.cli.answers import answer
    from lading.tools.cli.program import COMPLETE, program

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(program, {}, "lading", COMPLETE).source()
    answer(frame, {"shell": shell, "script": script}, script)
