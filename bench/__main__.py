"""Benchmarks whose output can be made again: `scripts/bench SUITE`."""

from importlib import import_module

import click

SUITES: tuple[str, ...] = (
    "boards",
    "bridge",
    "codec",
    "core",
    "keras",
    "options",
    "speed",
    "store",
    "windows",
)


class Suites(click.Group):
    """Each suite is a module of this package, imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUITES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in SUITES:
            return None
        command = import_module(f"bench.{name}").main
        assert isinstance(command, click.Command)
        return command


@click.command(cls=Suites)
def main() -> None:
    """Measure tinydream; every figure that is printed was measured in that run or its cells."""


if __name__ == "__main__":
    main()
