"""Sources, descriptors, units, and the database that keeps them on disk."""
