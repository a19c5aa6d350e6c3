"""Sphinx: make docs builds these pages into build/docs, and a warning is an error."""

import logging
from importlib import metadata

project = "Demiurge"
release = metadata.version("demiurge-sequencer")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3  # links to headings, as GitHub makes them
html_theme = "furo"
html_title = "Demiurge"
html_static_path = ["style", "sounds"]
html_css_files = ["wrap.css"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say shapes and units
napoleon_google_docstring = False

logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which instructions it tried
