"""The kinds of descriptor rows that a database keeps: of frames, and of units if longer."""

from db.settings import DescriptorSettings

# kind of rows -> its tables: where each source's rows are; how long each shard is
SPAN_TABLES = {
    "frames": ("spans", "shards"),
    "units": ("unit_spans", "unit_shards"),
}


def row_kinds(settings: DescriptorSettings) -> dict[str, int]:
    """Return the number of columns of each kind of rows that a database keeps."""
    frames = {"frames": len(settings.frame_names)}
    return frames if settings.units == "frame" else frames | {"units": settings.n_descriptors}


def unit_row_kind(settings: DescriptorSettings) -> str:
    """Return the kind of rows that describes units: the frames, or rows of their own."""
    return "frames" if settings.units == "frame" else "units"
