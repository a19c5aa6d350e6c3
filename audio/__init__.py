"""Audio files and signals: reading, writing, resampling, loudness, decibels."""
