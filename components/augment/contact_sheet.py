"""Contact sheet: some photos, each in a row with its views, as a JPEG and as a self-contained HTML page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment
from PIL import Image, ImageDraw

from components.fonts import draw_text, drawable, text_width

_CELL_PX = 176
_GAP_PX = 8
_CAPTION_PX = 36
_HEADER_PX = 30
_INK, _PAPER, _FAINT = "#1c2733", "#ffffff", "#5b6b7b"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; background: #fff; margin: 2rem auto;
  max-width: 78rem; padding: 0 1rem; }
 h1 { font-size: 1.5rem; margin: 0 0 .3rem; } p { margin: .3rem 0 1rem; color: #5b6b7b; max-width: 60rem; }
 table { border-collapse: collapse; } th { text-align: left; font-weight: 600; padding: .3rem .4rem; }
 td { padding: .3rem .4rem; vertical-align: top; } img { display: block; border-radius: 4px; }
 figcaption, code { font-size: .8rem; } figure { margin: 0; } figcaption { color: #5b6b7b; overflow-wrap: anywhere; }
 code { background: #f1f4f7; border-radius: 3px; padding: .1rem .3rem; overflow-wrap: anywhere; }
 .scroll { overflow-x: auto; } li { margin: .15rem 0; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<ol>{% for line in transforms %}<li><code>{{ line }}</code></li>{% else %}<li>No transforms.</li>{% endfor %}</ol>
{% if rows %}
<div class="scroll"><table>
<thead><tr>{% for heading in headings %}<th scope="col">{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}<tr>
{% for picture in row.pictures %}<td><figure>
<img src="{{ picture }}" alt="{{ row.caption }}, {{ headings[loop.index0] }}">
{% if loop.first %}<figcaption>{{ row.caption }}</figcaption>{% endif %}</figure></td>
{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% else %}<p>No skill has training photos, so there is nothing to show.</p>{% endif %}
</body>
</html>
"""


@dataclass(frozen=True)
class Row:
    """One photo and its views.

    Attributes:
        caption: Text under the photo, such as its labels.
        images: The photo, then its views, RGB.
    """

    caption: str
    images: Sequence[Image.Image]


def draw_sheet(rows: Sequence[Row]) -> bytes:
    """Draw the rows as one JPEG; every photo keeps its proportions."""
    headings = _headings(rows)
    width = len(headings) * (_CELL_PX + _GAP_PX) + _GAP_PX
    height = _HEADER_PX + max(1, len(rows)) * (_CELL_PX + _CAPTION_PX) + _GAP_PX
    sheet = Image.new("RGB", (max(width, 480), height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, heading in enumerate(headings):
        draw_text(pen, (_GAP_PX + column * (_CELL_PX + _GAP_PX), _GAP_PX), heading, size_px=15, fill=_INK)
    if not rows:
        place = (_GAP_PX, _HEADER_PX + _GAP_PX)
        draw_text(pen, place, "No skill has training photos.", size_px=15, fill=_FAINT)
    for line, row in enumerate(rows):
        top = _HEADER_PX + line * (_CELL_PX + _CAPTION_PX)
        for column, image in enumerate(row.images):
            thumbnail = _thumbnail(image)
            sheet.paste(thumbnail, (_GAP_PX + column * (_CELL_PX + _GAP_PX), top))
        bottom = top + _thumbnail(row.images[0]).height + 4
        caption = _shortened(row.caption, 12, width - 2 * _GAP_PX)
        draw_text(pen, (_GAP_PX, bottom), caption, size_px=12, fill=_FAINT)
    return _jpeg(sheet)


def draw_page(rows: Sequence[Row], *, title: str, summary: str, transforms: Sequence[str]) -> str:
    """Render the rows as a self-contained HTML page.

    Args:
        rows: Photos and views.
        title: Heading of the page.
        summary: One or two sentences below it.
        transforms: The policy, one line per transform.
    """
    shown = [
        {"caption": row.caption, "pictures": [_data_uri(_jpeg(_thumbnail(image))) for image in row.images]}
        for row in rows
    ]
    template = Environment(autoescape=True).from_string(_PAGE)
    return template.render(title=title, summary=summary, transforms=transforms, rows=shown, headings=_headings(rows))


def _headings(rows: Sequence[Row]) -> list[str]:
    views = max((len(row.images) for row in rows), default=1) - 1
    return ["photo", *(f"view {number}" for number in range(1, views + 1))]


def _thumbnail(image: Image.Image) -> Image.Image:
    copy = image.copy()
    copy.thumbnail((_CELL_PX, _CELL_PX), Image.Resampling.LANCZOS)
    return copy


def _shortened(text: str, size_px: int, width_px: int) -> str:
    text = drawable(text)
    if text_width(text, size_px) <= width_px:
        return text
    while text and text_width(text + "…", size_px) > width_px:
        text = text[:-1]
    return text + "…"


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
