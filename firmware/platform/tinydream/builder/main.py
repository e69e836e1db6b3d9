"""How PlatformIO compiles and links: every board's facts come from its environment.

    custom_prefix     what stands before `gcc`; empty for the host's own compiler
    custom_cpu_flags  compiler and linker flags that choose the core
    custom_link_flags those that choose the compiler's own library; custom_cpu_flags unless given
    custom_devices    macros: which serial line and counter a bare board has, and where
    custom_storage    macros: where weights may be kept, and how that is written
    custom_memory     linker symbols: where flash and ram start, their bytes, the stack's bytes
    custom_plan       a folder with td_plan.h and td_plan.c, when they are not in src/
    custom_script     the linker script, seen from the sources; link.ld unless given

A prefix means bare metal: no C library, start-up code and linker script in src/.
"""

from pathlib import Path

from SCons.Script import Default, DefaultEnvironment

FLAGS = ["-O2", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections"]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Wvla"]

env = DefaultEnvironment()
prefix = env.GetProjectOption("custom_prefix", "")
cpu_flags = env.GetProjectOption("custom_cpu_flags", "").split()
link_flags = env.GetProjectOption("custom_link_flags", "").split() or cpu_flags
devices = env.GetProjectOption("custom_devices", "").split()
devices += env.GetProjectOption("custom_storage", "").split()
memory = env.GetProjectOption("custom_memory", "").split()


def bare_metal():
    source = Path(env.subst("$PROJECT_SRC_DIR"))
    script = source / env.GetProjectOption("custom_script", "link.ld")
    env.Replace(PROGNAME="firmware", PROGSUFFIX=".elf")
    env.Append(
        CCFLAGS=["-ffreestanding"],
        LINKFLAGS=["-nostdlib", "-Wl,--gc-sections", "-Wl,--fatal-warnings", "-T", str(script)],
        LIBS=["gcc"],
    )
    env.Append(LINKFLAGS=[f"-Wl,--defsym={symbol}" for symbol in memory])
    env.Depends("$PROGPATH", str(script))


compiler = f"{prefix}gcc" if prefix else "cc"
env.Replace(CC=compiler, LINK=compiler, AR=f"{prefix}ar", RANLIB=f"{prefix}ranlib", ARFLAGS=["rc"])
env.Append(CFLAGS=["-std=c99"], CCFLAGS=cpu_flags + FLAGS + WARNINGS, LINKFLAGS=link_flags)
env.Append(CCFLAGS=[f"-D{macro}" for macro in devices])
if prefix:
    bare_metal()
plan = env.GetProjectOption("custom_plan", "")
if plan:
    library = Path(env.GetProjectConfig().get("platformio", "lib_dir"), "tinydream", "src")
    env.Append(CPPPATH=[plan, str(library)])
    env.BuildSources("$BUILD_DIR/plan", plan, "+<td_plan.c>")
Default(env.Alias("buildprog", env.BuildProgram()))
