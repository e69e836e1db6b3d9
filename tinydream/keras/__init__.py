"""Keras beside a device: its weights in files, the same training, features for it to learn."""

from tinydream.keras.features import Extractor
from tinydream.keras.files import ENDINGS, QUANTISED, Opened, open_model, write_model
from tinydream.keras.model import make_model
from tinydream.keras.rows import drawn_rows, stored_rows
from tinydream.keras.train import KerasTwin

__all__ = [
    "ENDINGS",
    "QUANTISED",
    "Extractor",
    "KerasTwin",
    "Opened",
    "drawn_rows",
    "make_model",
    "open_model",
    "stored_rows",
    "write_model",
]
