"""A plan as C text, and the PlatformIO project around it."""

from tinydream.codegen.generate import generate, write_project
from tinydream.codegen.header import representatives_header

__all__ = ["generate", "representatives_header", "write_project"]
