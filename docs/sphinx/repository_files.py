"""The role `file`: a path of the repository, shown as code. A path that is missing is a warning."""
import pathlib

from docutils import nodes
from docutils.parsers.rst import roles

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def file_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    shown = nodes.literal(rawtext, text, classes=["file"])
    if (ROOT / text).exists():
        return [shown], []
    message = inliner.reporter.warning(f"the repository has no file '{text}'", line=lineno)
    return [shown], [message]


def setup(app):
    roles.register_canonical_role("file", file_role)
    app.add_role("file", file_role, override=True)
    return {"parallel_read_safe": True}
