"""The program: chain from seed to WAV, plans, command line, web page, demo, benchmarks."""
