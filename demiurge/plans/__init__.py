"""Plans of a database: made from a path, and edited."""
