"""From a plan to audio: sources, runs of units, joins and their crossfades, files."""
