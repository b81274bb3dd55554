"""The walkthrough: Sphinx with MyST and furo, formulas rendered when it is built. `tests/all/docs`
builds it with warnings as errors. A page needs no network, and JavaScript for the search alone."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "sphinx"))

project = "Touchstone"
copyright = "the Touchstone authors, Apache-2.0"
extensions = ["myst_parser", "drawings", "followed_token", "formulas", "kernel_sections",
              "op_pages",
              "repository_files", "tsv_table"]
exclude_patterns = ["sphinx"]

myst_enable_extensions = ["dollarmath"]
nitpicky = True
highlight_language = "none"

html_theme = "furo"
html_title = "Touchstone"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["walkthrough.css"]
