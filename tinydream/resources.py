"""Where the folders that ship with the package lie: firmware/ and boards/."""

from pathlib import Path

from tinydream.errors import TinydreamError

__all__ = ["folder"]


def folder(name: str) -> Path:
    """The folder `name`: inside an installed package, beside the package in a source checkout.

    The package has a compiled extension, so it always lies on a disk and never in a zip file.
    """
    package = Path(__file__).resolve().parent
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    raise TinydreamError(
        f"the folder '{name}' is missing from tinydream in {package};"
        " install tinydream again with `pip install --force-reinstall tinydream`"
    )
