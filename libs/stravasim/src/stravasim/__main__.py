"""`python -m stravasim` is the same program as `stravasim`."""

from stravasim.cli import app

app(prog_name="stravasim")
