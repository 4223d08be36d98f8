"""Contact sheets: photos side by side, each with its true label, the answer and its confidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from components.fonts import draw_text, drawable, text_width

TILE_PX = 208
_TEXT_PX = 14
_CAPTION_PX, _GAP_PX, _COLUMNS = 62, 12, 4
_BACKGROUND, _INK, _RIGHT, _WRONG = "white", "#1c2733", "#23763d", "#b3261e"


@dataclass(frozen=True, eq=False)
class Tile:
    """Photo of a contact sheet: its thumbnail, its true label, the answer, and the answer's probability."""

    thumbnail: Image.Image
    label: str
    predicted: str
    confidence: float


def thumbnail(photo: Image.Image) -> Image.Image:
    """Fit the whole photo into a square tile, on grey."""
    return ImageOps.pad(photo, (TILE_PX, TILE_PX), Image.Resampling.BILINEAR, color="#e8ecef")


def write_contact_sheet(tiles: Sequence[Tile], path: Path, *, empty: str) -> None:
    """Write the tiles as one JPEG; without tiles, a strip with the text `empty`."""
    if not tiles:
        strip = Image.new("RGB", (640, 56), _BACKGROUND)
        draw_text(ImageDraw.Draw(strip), (_GAP_PX, 18), empty, size_px=_TEXT_PX, fill=_INK)
        strip.save(path, quality=85)
        return
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    pitch_x, pitch_y = TILE_PX + _GAP_PX, TILE_PX + _CAPTION_PX + _GAP_PX
    sheet = Image.new("RGB", (columns * pitch_x + _GAP_PX, rows * pitch_y + _GAP_PX), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, tile in enumerate(tiles):
        x = _GAP_PX + index % columns * pitch_x
        y = _GAP_PX + index // columns * pitch_y
        sheet.paste(tile.thumbnail, (x, y))
        color = _RIGHT if tile.label == tile.predicted else _WRONG
        lines = (
            (f"true: {tile.label}", _INK),
            (f"answer: {tile.predicted}", color),
            (f"confidence: {tile.confidence:.2f}", _INK),
        )
        for line, (text, fill) in enumerate(lines):
            place = (x, y + TILE_PX + 4 + 19 * line)
            draw_text(draw, place, _fitted(text), size_px=_TEXT_PX, fill=fill)
    sheet.save(path, quality=85)


def _fitted(text: str) -> str:
    """Shorten the text until it is no wider than a tile."""
    text = drawable(" ".join(text.split()))
    if text_width(text, _TEXT_PX) <= TILE_PX:
        return text
    while text and text_width(f"{text}…", _TEXT_PX) > TILE_PX:
        text = text[:-1]
    return f"{text}…"
