"""``quipu completion``: the script that completes quipu in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ledger.cli.main import Invocation, quipu, verb
from ledger.errors import RefusedError


@verb("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(invocation: Invocation, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: quipu completion bash > ~/.local/share/bash-completion/completions/quipu
    zsh:  quipu completion zsh > ~/.zfunc/_quipu
    fish: quipu completion fish > ~/.config/fish/completions/quipu.fish
    """
    completion = get_completion_class(shell)
    if completion is None:
        raise RefusedError(f"no completion for {shell}")
    script = completion(quipu, {}, "quipu", "_QUIPU_COMPLETE").source()
    invocation.output.result(
        {"shell": shell, "script": script},
        lambda console: console.print(script, markup=False, soft_wrap=True),
    )
