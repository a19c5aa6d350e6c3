"""From a plan to audio: reading spans of sources, crossfades, writing."""
