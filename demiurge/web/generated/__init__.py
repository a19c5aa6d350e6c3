"""Clips that a flow generates in the style of pinned units."""
