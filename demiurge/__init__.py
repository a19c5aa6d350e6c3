"""The front door: the command line, the chain from a seed file to a WAV, the demo and the
benchmarks.
"""
