"""The Make page: a seed in, plans out."""
