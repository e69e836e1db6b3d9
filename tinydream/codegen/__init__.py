"""A plan as C text, and the PlatformIO project around it."""

from tinydream.codegen.generate import generate, write_project

__all__ = ["generate", "write_project"]
