"""From a sequence of descriptors to real units: index, candidate search, path selection."""
