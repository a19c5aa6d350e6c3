"""Names of the choices for a search, kept apart from the code, which is slow to import."""

SEARCHES = ("viterbi", "beam", "greedy")
METRICS = ("l2", "cosine", "l1", "linf", "lp:P")
INDEX_KINDS = ("flat", "ivf", "pq")
NOT = "!"  # begins a pattern of sources that are left out
AUTO = "auto"  # the best index kind for the database; range and level for the material
RANGES = ("own", "shared")
LEVELS = ("follow", "own")
OWN_NOVELTY = 0.1  # of a target in its own range

# defaults of a continuation, which is not held to a target as a mosaic is
CONTINUITY = 0.5
NOVELTY = 1.0
MAX_RUN = 2.5  # seconds
MOST_TRANSPOSE = 12  # semitones

MOST_VOICES = 16  # of a plan
FOLLOWS = ("both", "pitch", "timbre")
STRETCHES = (AUTO, "off")  # of the units of a mosaic
