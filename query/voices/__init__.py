"""Voices: units that sound at once, chosen so that their spectra add up to a target's."""
