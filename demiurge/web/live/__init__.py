"""The page "Live": what a session plays, and its knobs, while it runs."""
