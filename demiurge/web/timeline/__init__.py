"""The timeline: plans shown, played and edited."""
