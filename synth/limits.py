"""The greatest sizes of networks and excerpts: far beyond use, and far below harm."""

MOST_WIDTH = 1 << 14  # channels
MOST_LAYERS = 128
MOST_FRAMES = 1 << 16  # of an excerpt
