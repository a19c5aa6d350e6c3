"""Vocoders and generators: networks, training, generating, evaluation."""
