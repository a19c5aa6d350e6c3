"""Evaluate continuations as they are heard: with measurements, and by listeners."""
