"""What a device has learnt, as files that other people's programs read: .keras and .tflite."""

from tinydream.keras.files import QUANTISED, Predictor, open_model, write_model
from tinydream.keras.model import make_model

__all__ = ["QUANTISED", "Predictor", "make_model", "open_model", "write_model"]
