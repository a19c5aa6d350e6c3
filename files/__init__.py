"""Files: errors, atomic writes, hashes, names, the cache folder, progress."""
