"""Turn a plan into audio: sources, runs of units, joins and their crossfades, files."""
