"""Names that a search is asked for by; apart from what they name, which takes long to import."""

SEARCHES = ("viterbi", "beam", "greedy")
METRICS = ("l2", "cosine", "l1", "linf", "lp:P")
INDEX_KINDS = ("flat", "ivf", "pq")
AUTO = "auto"  # the best index kind for the database
