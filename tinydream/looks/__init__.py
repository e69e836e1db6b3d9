"""Looking into a run: what is in it, whether it is true, what it says, what others may take."""

from tinydream.looks.export import FORMATS, Exported, export
from tinydream.looks.inspect import Inspected, inspect
from tinydream.looks.picture import condense, entropy_svg
from tinydream.looks.predict import Predicted, predict
from tinydream.looks.refill import Refilled, refill
from tinydream.looks.save import save
from tinydream.looks.stored import reason, store_svg
from tinydream.looks.verify import Alike, Verified, verify, verify_model

__all__ = [
    "FORMATS",
    "Alike",
    "Exported",
    "Inspected",
    "Predicted",
    "Refilled",
    "Verified",
    "condense",
    "entropy_svg",
    "export",
    "inspect",
    "predict",
    "reason",
    "refill",
    "save",
    "store_svg",
    "verify",
    "verify_model",
]
