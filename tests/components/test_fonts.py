"""Labels of every script in pictures: drawn with a font that has them, or as code points."""

from pathlib import Path

import numpy as np
import pytest
from odd_labels import ODD_LABELS
from PIL import Image, ImageDraw

from components import fonts
from components.document.escaping import typst
from components.document.typst_pdf import typst_fonts, write_pdf
from components.evaluate.plots import draw_confusion

NOWHERE = "\U0010fffd"  # of a private plane: no font of a system has it


@pytest.fixture
def no_installed_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed", lambda: ())
    fonts._font_of.cache_clear()
    yield
    fonts._font_of.cache_clear()


def test_a_character_that_no_font_has_is_shown_as_its_code_point_with_the_way_out() -> None:
    assert fonts.drawable(f"red {NOWHERE}") == "red [U+10FFFD]"
    notice = fonts.missing_notice(["red", f"a{NOWHERE}"])
    assert notice is not None
    assert f"no font on this machine has {NOWHERE}, so pictures show their code points." in notice
    assert "`apt-get install fonts-noto-core fonts-noto-cjk`" in notice
    assert fonts.missing_notice(["red", "Größe", "❤️"]) is None


@pytest.mark.usefixtures("no_installed_fonts")
def test_without_fonts_for_it_chinese_is_shown_as_code_points() -> None:
    assert fonts.drawable("红 car") == "[U+7EA2] car"
    assert fonts.missing(["红红", "轮"]) == "红轮"
    assert fonts.families(["红"]) == ["DejaVu Sans"]


@pytest.mark.filterwarnings("error:Glyph")
def test_charts_of_odd_labels_have_no_boxes(tmp_path: Path) -> None:
    labels = ODD_LABELS[:12]
    draw_confusion(np.eye(len(labels), dtype=int), labels, tmp_path / "confusion.png")
    assert Image.open(tmp_path / "confusion.png").width > 500


def test_text_is_as_wide_as_it_is_drawn() -> None:
    picture = Image.new("L", (400, 40), 255)
    fonts.draw_text(ImageDraw.Draw(picture), (0, 4), "Größe ❤ Wien", size_px=14, fill="black")
    drawn = np.flatnonzero((np.asarray(picture) < 128).any(0))
    assert abs(drawn.max() - fonts.text_width("Größe ❤ Wien", 14)) < 4


def test_documents_show_what_no_font_has_as_code_points(tmp_path: Path) -> None:
    assert typst(f'a "{NOWHERE}"') == '"a \\"[U+10FFFD]\\""'
    write_pdf("#text(" + typst(" ".join(ODD_LABELS)) + ")", tmp_path, "odd", fonts=typst_fonts(), timestamp_s=0)
    assert (tmp_path / "odd.pdf").stat().st_size > 1000
