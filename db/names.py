"""What can be chosen for a database, apart from the code, which takes long to import.

Descriptors are in `db.columns`.
"""

UNIT_KINDS = ("frame", "fixed:MS", "onset", "beat")
WINDOW_CENTRES = ("span", "start")
EXECUTORS = ("serial", "threads", "processes", "ray")
EXPORT_FORMATS = ("demiurge-json", "csv", "npz", "parquet", "flucoma")
