"""Published generators of audio, by one adapter each."""
