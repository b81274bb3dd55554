"""Renders every formula when the pages are built, by Debian's KaTeX: one node process for all.
KaTeX's style sheet and fonts are copied into the built pages."""
import json
import os
import pathlib
import shutil
import subprocess

from docutils import nodes
from sphinx.errors import ExtensionError

# Where Debian's packages katex and libjs-katex put their files.
NODE_MODULES = "/usr/share/nodejs"
STYLE = pathlib.Path("/usr/share/javascript/katex")


class Renderer:
    def __init__(self):
        self.process = None
        self.rendered = {}

    def start(self):
        script = pathlib.Path(__file__).with_name("formulas.js")
        environment = dict(os.environ, NODE_PATH=NODE_MODULES)
        self.process = subprocess.Popen(
            ["node", str(script)], env=environment, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, tex, display, where):
        key = (tex, display)
        if key not in self.rendered:
            if self.process is None:
                self.start()
            self.process.stdin.write(json.dumps({"tex": tex, "display": display}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if not line:
                raise ExtensionError(f"{where}: node with KaTeX ended at the formula '{tex}'")
            answer = json.loads(line)
            if "error" in answer:
                raise ExtensionError(f"{where}: cannot render '{tex}': {answer['error']}")
            self.rendered[key] = answer["html"]
        return self.rendered[key]

    def stop(self):
        if self.process is not None:
            self.process.communicate()
            self.process = None


RENDERER = Renderer()


def visit_inline(writer, node):
    where = f"{node.source or writer.builder.current_docname}:{node.line}"
    writer.body.append(RENDERER.render(node.astext(), False, where))
    raise nodes.SkipNode


def visit_display(writer, node):
    where = f"{node.source or writer.builder.current_docname}:{node.line}"
    html = RENDERER.render(node.astext(), True, where)
    writer.body.append(writer.starttag(node, "div", CLASS="formula") + html + "</div>\n")
    raise nodes.SkipNode


def copy_style(app):
    if app.builder.format != "html":
        return
    target = pathlib.Path(app.outdir) / "_static" / "katex"
    shutil.rmtree(target, ignore_errors=True)
    (target / "fonts").mkdir(parents=True)
    shutil.copyfile(STYLE / "katex.min.css", target / "katex.min.css")
    for font in sorted((STYLE / "fonts").glob("*.woff2")):
        shutil.copyfile(font, target / "fonts" / font.name)


def finish(app, error):
    RENDERER.stop()
    if error is None:
        copy_style(app)


def setup(app):
    app.add_html_math_renderer("katex", (visit_inline, None), (visit_display, None))
    app.config.html_math_renderer = "katex"
    app.add_css_file("katex/katex.min.css")
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
