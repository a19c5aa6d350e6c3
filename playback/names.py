"""Names of fades and exports; apart from what they name, which takes long to import."""

FADES = ("matched", "equal-power", "linear")
EXPORT_SUFFIXES = {"reaper": ".rpp", "labels": ".txt", "csv": ".csv", "edl": ".edl"}
