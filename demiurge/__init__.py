"""The front door: the chain from seed to WAV, plans, the command line, the web page, benchmarks."""
