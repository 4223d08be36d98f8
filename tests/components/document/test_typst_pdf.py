"""PDFs by typst: offline, equal for equal sources, and without access to packages or files outside the folder."""

import pytest

from components.document.typst_pdf import PdfError, typst_fonts, write_pdf


def test_equal_sources_give_equal_pdfs(tmp_path):
    for name in ("one", "two"):
        write_pdf("= Title\nText", tmp_path, name, fonts=typst_fonts(), timestamp_s=1_700_000_000)
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("#nothing", "unknown variable"),
        ('#import "@local/x:1.0.0": y', ""),
        ('#read("../secret.txt")', ""),
        ('#read("/../secret.txt")', ""),
    ],
)
def test_a_wrong_source_and_one_that_reads_outside_its_folder_are_refused(source, reason, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(PdfError, match=rf"typst could not compile a: .*{reason}"):
        write_pdf(source, folder, "a", fonts=typst_fonts(), timestamp_s=0)
    assert not (folder / "a.pdf").exists()
