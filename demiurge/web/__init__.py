"""The web page: see the corpus as a map, see and change why a segment was chosen, make new plans."""
