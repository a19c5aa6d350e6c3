"""The synthesis engine (vocoders, generators): nothing here yet."""
