"""Names of sample formats; apart from what they name, which takes long to import."""

BITS = ("16", "24", "float")
