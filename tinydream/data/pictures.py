"""Pictures: folders of them, one a class, and IDX files as MNIST has them."""

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data.columns import Column
from tinydream.data.source import Source
from tinydream.errors import DataError

__all__ = ["ENDINGS", "is_idx", "is_pictures", "read_idx", "read_pictures", "rows_of_pictures"]

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}

Rows = dict[str, NDArray[Any]]


def is_idx(path: Path) -> bool:
    """Whether this is a file of pictures as IDX, or a folder that has one."""
    return bool(_images(path)) if path.is_dir() else "-idx" in path.name or ".idx" in path.name


def is_pictures(path: Path) -> bool:
    """Whether this is a folder of folders of pictures."""
    return path.is_dir() and any(f.suffix.lower() in ENDINGS for f in path.glob("*/*"))


def read_idx(path: Path, target: str | None, group: str | None = None) -> Source:
    """Pictures and labels of IDX files; of a folder, train and t10k. Raises DataError."""
    return _source(path, rows_of_pictures(path), group)


def read_pictures(path: Path, target: str | None, group: str | None = None) -> Source:
    """Pictures of one size, in a folder for each class. Raises DataError."""
    return _source(path, rows_of_pictures(path), group)


def rows_of_pictures(path: Path) -> tuple[Rows, Rows | None]:
    """x (n, height, width[, colours]) and y (n,) of pictures, and of those apart for testing."""
    if is_pictures(path):
        return _folder(path), None
    images = _images(path) if path.is_dir() else [path]
    apart = [f for f in images if f.name.startswith(("t10k", "test"))]
    first = [f for f in images if f not in apart] or apart[:1]
    if len(first) > 1 or len(apart) > 1:
        raise DataError(f"{path.name} has several files of pictures; name one of them")
    test = _pair(apart[0]) if apart and apart != first else None
    return _pair(first[0]), test


def _source(path: Path, read: tuple[Rows, Rows | None], group: str | None) -> Source:
    if group is not None:
        raise DataError(f"{path.name} holds pictures, and nothing tells groups; leave --groups out")
    parts = [each for each in read if each is not None]
    if len({each["x"].shape[1:] for each in parts}) > 1:
        raise DataError(f"{path.name}: pictures to train and to test with have different sizes")
    x = tuple(np.ascontiguousarray(each["x"].reshape(len(each["x"]), -1)) for each in parts)
    y = np.concatenate([each["y"] for each in parts])
    texts: tuple[str, ...] = ()
    if y.dtype.kind == "U":
        names, y = np.unique(y, return_inverse=True)
        texts = tuple(map(str, names.tolist()))
    columns = tuple(Column(f"x{j}") for j in range(x[0].shape[1]))
    return Source(x, columns, (y.reshape(-1),), ("label",), texts=(texts,) if texts else ())


# ---- IDX ----


def _images(path: Path) -> list[Path]:
    names = (f for f in sorted(path.iterdir()) if is_idx(f) and not f.is_dir())
    return [f for f in names if "images" in f.name or "idx3" in f.name or "idx4" in f.name]


def _pair(images: Path) -> Rows:
    x = _idx(images)
    name = images.name.replace("images", "labels")
    for old in ("idx3", "idx4"):
        name = name.replace(old, "idx1")
    labels = images.with_name(name)
    if labels == images or not labels.is_file():
        raise DataError(f"{images.name} needs its labels beside it, in {name}")
    y = _idx(labels)
    if y.shape != (len(x),):
        raise DataError(f"{labels.name} has shape {y.shape}; one label a picture is needed")
    return {"x": x, "y": y}


def _idx(path: Path) -> NDArray[Any]:
    """The array of an IDX file: 0, 0, type, axes, lengths (big-endian u32), numbers."""
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read ({error}); copy the file again") from None
    dtype = IDX_TYPES.get(data[2]) if len(data) >= 4 and data[:2] == b"\0\0" else None
    start = 4 + 4 * data[3] if dtype else 0
    shape = [int.from_bytes(data[a : a + 4], "big") for a in range(4, start, 4)]
    if (
        dtype is None
        or not shape
        or len(data) != start + math.prod(shape) * np.dtype(dtype).itemsize
    ):
        raise DataError(f"{path.name} is no whole IDX file; copy it again")
    found = np.frombuffer(data, dtype, offset=start).reshape(shape)
    if not len(found):
        raise DataError(f"{path.name} holds nothing; add rows")
    return found.astype(np.dtype(dtype).newbyteorder("="))


# ---- folders ----


def _folder(path: Path) -> Rows:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise DataError(
            f"{path.name} holds pictures, and Pillow reads them; pip install 'tinydream[images]'"
        ) from None
    files = sorted(f for f in path.glob("*/*") if f.suffix.lower() in ENDINGS)
    pictures = []
    for file in files:
        try:
            with Image.open(file) as picture:
                mode = picture.mode if picture.mode in ("L", "RGB") else "RGB"
                pictures.append(np.asarray(picture.convert(mode)))
        except (OSError, UnidentifiedImageError, ValueError) as error:
            raise DataError(f"{file.name} is no picture that can be read ({error})") from None
    _check_sizes(files, pictures)
    return {"x": np.stack(pictures), "y": np.array([f.parent.name for f in files])}


def _check_sizes(files: Sequence[Path], pictures: list[NDArray[Any]]) -> None:
    """Grey pictures among coloured ones become coloured; raises DataError for other sizes."""
    if any(p.ndim == 3 for p in pictures):
        for k, picture in enumerate(pictures):
            if picture.ndim == 2:
                pictures[k] = np.repeat(picture[:, :, None], 3, axis=2)
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            sizes = [f"{p.shape[1]} x {p.shape[0]}" for p in (picture, pictures[0])]
            raise DataError(
                f"{file.parent.name}/{file.name} has {sizes[0]} pixels, and {files[0].name}"
                f" {sizes[1]}; bring all pictures to one size"
            )
