"""Names of fades and exports, without loading what makes them."""

FADES = ("matched", "equal-power", "linear")
EXPORT_NAMES = ("reaper", "labels", "csv", "edl")  # a test holds them equal to the exports
