"""The map: every unit as a point."""
