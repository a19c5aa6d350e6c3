"""The web page: a map of the corpus, a timeline of each plan, and a form that makes new ones."""
