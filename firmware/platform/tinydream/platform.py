"""A PlatformIO platform without packages: its compilers are those on PATH."""

from platformio.public import PlatformBase


class TinydreamPlatform(PlatformBase):
    def is_embedded(self):
        # nothing is uploaded: the host runs the program, QEMU loads the ELF file
        return False
