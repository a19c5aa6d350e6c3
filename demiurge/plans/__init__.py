"""Plans of a database: make them from a path, and edit them."""
