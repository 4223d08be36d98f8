"""Ingestion of files that are crafted to cost a decoder much time or memory."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from crafted_photos import KINDS, SMALL

from components.ingest import decoding

REFUSED_BY_STRUCTURE = [
    "bmp_runs", "gif_comments", "jpeg_comments", "jpeg_empty_scans", "jpeg_exif_segments", "jpeg_refined_runs",
    "png_profiles", "png_tiny_data", "tiff_huge_tile", "tiff_jpeg_scans", "tiff_shared_strips", "webp_chunks",
    "webp_lossless_claim",
]  # fmt: skip


@pytest.fixture
def impatient_decoders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Decoders that allow a tenth of a second."""
    monkeypatch.setattr(decoding, "_CPU_S", 0.1)
    impatient = decoding._decoders.__wrapped__(os.getpid())
    monkeypatch.setattr(decoding, "decoders", lambda: impatient)
    yield
    impatient.close()


def test_crafted_files_are_set_aside_and_the_photos_beside_them_are_taken_in(
    draw: Callable[..., Path], taken_in: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    draw("photos/cat/good.jpg")
    for name in REFUSED_BY_STRUCTURE:
        (tmp_path / "photos" / f"{name}.jpg").write_bytes(KINDS[name](SMALL))
    read = taken_in()
    assert list(read.catalogue.filename) == ["cat/good.jpg"]
    assert read.report.rejected == {"too-costly": len(REFUSED_BY_STRUCTURE)}
    assert all(
        "Save it again as JPEG" in aside["message"] or "Scale it down" in aside["message"] for aside in read.rejected
    )


@pytest.mark.usefixtures("impatient_decoders")
def test_a_file_that_takes_too_long_in_spite_of_its_structure_is_set_aside(
    draw: Callable[..., Path], taken_in: Callable[..., SimpleNamespace], tmp_path: Path
) -> None:
    draw("photos/cat/good.jpg")
    (tmp_path / "photos" / "slow.tif").write_bytes(KINDS["tiff_fax_claim"](SMALL))
    read = taken_in()
    assert list(read.catalogue.filename) == ["cat/good.jpg"]
    [aside] = read.rejected
    assert (aside["file"], aside["reason"]) == ("slow.tif", "too-costly")
    assert "within 0.1 s of processor time; it was not. Save it again as JPEG or PNG." in aside["message"]


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b"\xff", b'{"taken_at": 3}', b"[" * 100_000])
def test_an_answer_that_a_decoder_cannot_have_meant_refuses_the_file(answer: bytes) -> None:
    with pytest.raises(decoding.PhotoError, match="without an error of the decoder"):
        decoding._checked(bytearray(answer), "0" * 64)
