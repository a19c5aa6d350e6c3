"""Evaluation: continuations of music as they are heard, and methods that make them."""
