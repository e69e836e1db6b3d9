"""What a device has learnt, as files that other people's programs read: .keras and .tflite."""

from tinydream.keras.files import ENDINGS, QUANTISED, Opened, open_model, write_model
from tinydream.keras.model import make_model

__all__ = ["ENDINGS", "QUANTISED", "Opened", "make_model", "open_model", "write_model"]
