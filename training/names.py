"""Names of the precisions, for the command line, which must not load torch."""

PRECISIONS = ("float32", "bfloat16")
