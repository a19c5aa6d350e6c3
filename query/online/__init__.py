"""Choose units one at a time, while they are played."""
