"""Groups that do one of their verbs when none is named: ``quipu market harbour``."""

from __future__ import annotations

from typing import Any

import click

_HELP = frozenset({"-h", "--help"})


class DefaultVerb(click.Group):
    """A group whose first word, where it is no verb of it, belongs to ``default``."""

    def __init__(self, *arguments: Any, default: str, **more: Any) -> None:
        super().__init__(*arguments, **{"no_args_is_help": False, **more})
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default verb before what is none."""
        if not args or (args[0] not in self.commands and args[0] not in _HELP):
            args = [self._default, *args]
        return super().parse_args(ctx, args)
