"""The timeline: a plan, seen, heard and edited."""
