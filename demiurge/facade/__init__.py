"""Demiurge for scripts and notebooks: the names of `import demiurge` (docs/api.md).

Everything here calls what the commands call, with the same defaults, and prints nothing.
"""
