"""Names of the choices for a database, kept apart from the code, which is slow to import.

The names of descriptors are in `db.columns`.
"""

UNIT_KINDS = ("frame", "fixed:MS", "onset", "beat", "beat/N")
MODEL_KINDS = ("codec", "rave", "clap")  # descriptors that a model gives: KIND:PATH
BANDS = "bands"  # among descriptors: the spectra of `db.bands`, kept beside them
WINDOW_CENTRES = ("span", "start")
EXECUTORS = ("serial", "threads", "processes", "ray")
EXPORT_FORMATS = ("demiurge-json", "csv", "npz", "parquet", "flucoma")
