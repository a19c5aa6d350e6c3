"""Search in shards: each a range of sources, wherever it is, and one driver that merges."""
