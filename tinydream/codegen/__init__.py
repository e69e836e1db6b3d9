"""A plan as C text, and the PlatformIO project around it."""

from tinydream.codegen.generate import generate, write_project
from tinydream.codegen.header import representatives_header
from tinydream.codegen.model import ModelHeader, model_header

__all__ = ["ModelHeader", "generate", "model_header", "representatives_header", "write_project"]
