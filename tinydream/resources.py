"""Where the folders that ship with the package lie: firmware/ and boards/."""

from pathlib import Path

from tinydream.errors import TinydreamError

__all__ = ["boards_folder", "firmware_folder"]


def firmware_folder() -> Path:
    """The core, the ports and the PlatformIO platform, as a project takes them along."""
    return _folder("firmware")


def boards_folder() -> Path:
    """One TOML file a board."""
    return _folder("boards")


def _folder(name: str) -> Path:
    # inside an installed package, beside the package in a source checkout; never in a zip
    # file, because the package has a compiled extension
    package = Path(__file__).resolve().parent
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    raise TinydreamError(
        f"the folder '{name}' is missing from tinydream in {package};"
        " install tinydream again with `pip install --force-reinstall tinydream`"
    )
