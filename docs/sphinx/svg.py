"""Small drawings as SVG text, for inline use: colours are classes of docs/static/walkthrough.css,
so that they follow the theme, and every drawing has a title and a description for who cannot see
it."""
import html
import math


class Drawing:
    def __init__(self, name, width, height, title, description):
        self.name, self.width, self.height = name, width, height
        self.title, self.description = title, description
        self.parts = []

    def add(self, tag, text="", tip="", **attributes):
        """An element. `klass` is its class; `tip` is shown when the pointer rests on it."""
        words = "".join(f' {"class" if key == "klass" else key.replace("_", "-")}="{_plain(value)}"'
                        for key, value in attributes.items())
        inside = (f"<title>{html.escape(tip)}</title>" if tip else "") + html.escape(text)
        self.parts.append(f"<{tag}{words}>{inside}</{tag}>" if inside else f"<{tag}{words}/>")

    def rect(self, x, y, width, height, klass, tip="", **attributes):
        self.add("rect", x=x, y=y, width=width, height=height, klass=klass, tip=tip, **attributes)

    def line(self, x1, y1, x2, y2, klass):
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, klass=klass)

    def path(self, points, klass):
        steps = " ".join(f"{'L' if i else 'M'}{_plain(x)} {_plain(y)}"
                         for i, (x, y) in enumerate(points))
        self.add("path", d=steps, klass=klass)

    def circle(self, x, y, r, klass, tip=""):
        self.add("circle", cx=x, cy=y, r=r, klass=klass, tip=tip)

    def text(self, x, y, text, klass="label", anchor="middle", **attributes):
        self.add("text", text, x=x, y=y, klass=klass, text_anchor=anchor, **attributes)

    def svg(self):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" '
                f'viewBox="0 0 {_plain(self.width)} {_plain(self.height)}" '
                f'aria-labelledby="{self.name}-title {self.name}-description">'
                f'<title id="{self.name}-title">{html.escape(self.title)}</title>'
                f'<desc id="{self.name}-description">{html.escape(self.description)}</desc>')
        return head + "\n" + "\n".join(self.parts) + "\n</svg>"


def _plain(value):
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return html.escape(str(value))


class Axis:
    """Numbers from `low` to `high` on the way from pixel `start` to pixel `end`."""

    def __init__(self, low, high, start, end, logarithmic=False):
        self.scale = math.log10 if logarithmic else float
        self.low, self.high = self.scale(low), self.scale(high)
        self.start, self.end = start, end

    def __call__(self, value):
        share = (self.scale(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def axes(drawing, x, y, x_ticks, y_ticks, x_label, y_label):
    """A frame with a grid. Ticks are (number, text)."""
    left, right, bottom, top = x.start, x.end, y.start, y.end
    for number, text in x_ticks:
        drawing.line(x(number), bottom, x(number), top, "grid")
        drawing.text(x(number), bottom + 17, text)
    for number, text in y_ticks:
        drawing.line(left, y(number), right, y(number), "grid")
        drawing.text(left - 7, y(number) + 4, text, anchor="end")
    drawing.line(left, bottom, right, bottom, "axis")
    drawing.line(left, bottom, left, top, "axis")
    drawing.text((left + right) / 2, bottom + 37, x_label)
    middle = (top + bottom) / 2
    drawing.text(14, middle, y_label, transform=f"rotate(-90 14 {_plain(middle)})")
