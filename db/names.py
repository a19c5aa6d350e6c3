"""Names of what a database is made with; apart from what they name, which takes long to import."""

DESCRIPTORS = ("mfcc", "spectral", "chroma", "loudness")
UNIT_KINDS = ("frame", "fixed:MS", "onset", "beat")
WINDOW_CENTRES = ("span", "start")
EXECUTORS = ("serial", "threads", "processes", "ray")
EXPORT_FORMATS = ("demiurge-json", "csv", "npz", "parquet", "flucoma")
