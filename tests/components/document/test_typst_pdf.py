"""PDFs by either engine: made offline, equal for equal sources, and nothing outside the folder is read."""

import shutil

import pytest

from coachworks.errors import NotFoundError
from components.document.rendering import latex
from components.document.typst_pdf import PdfError, choose_engine, run_pdflatex, run_typst, typst_fonts

needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not on PATH")


@pytest.fixture
def bare_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_pdflatex_auto_means_typst(bare_path):
    assert choose_engine("auto") == "typst"


def test_asking_for_pdflatex_where_it_is_not_says_what_to_install(bare_path):
    with pytest.raises(NotFoundError, match=r"'pdflatex' is not there. Install TeX Live"):
        choose_engine("pdflatex")


@needs_pdflatex
def test_pdflatex_sets_nasty_text(all_nasty, page_of, tmp_path):
    (tmp_path / "nasty.tex").write_text(latex(page_of(" ".join(all_nasty))), "utf-8")
    run_pdflatex(tmp_path, "nasty", timeout_s=60, timestamp_s=0)
    assert (tmp_path / "nasty.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "nasty.log").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["nasty.log", "nasty.pdf", "nasty.tex"]


@needs_pdflatex
def test_equal_sources_give_equal_pdfs_from_pdflatex(page_of, tmp_path):
    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.tex").write_text(latex(page_of("text")), "utf-8")
        run_pdflatex(folder, "a", timeout_s=60, timestamp_s=1_700_000_000)
        made.append((folder / "a.pdf").read_bytes())
    assert made[0] == made[1]


@needs_pdflatex
@pytest.mark.parametrize(
    "body", [r"\input{/etc/hostname}", r"\undefined", r"\openin1=../secret.txt \ifeof1 \undefined\fi"]
)
def test_a_source_that_reaches_outside_or_is_wrong_is_refused_with_the_log(body, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.tex").write_text(rf"\documentclass{{article}}\begin{{document}}{body}\end{{document}}")
    with pytest.raises(PdfError, match=r"pdflatex could not set a.tex"):
        run_pdflatex(folder, "a", timeout_s=60, timestamp_s=0)


@needs_pdflatex
def test_a_source_whose_log_asks_for_another_pass_gets_it(tmp_path):
    body = r"\section{One}\label{one} Section \ref{one}"
    (tmp_path / "a.tex").write_text(rf"\documentclass{{article}}\begin{{document}}{body}\end{{document}}")
    run_pdflatex(tmp_path, "a", timeout_s=60, timestamp_s=0)
    assert "undefined" not in (tmp_path / "a.log").read_text()


@needs_pdflatex
def test_a_source_that_never_ends_is_stopped(tmp_path):
    (tmp_path / "a.tex").write_text(r"\documentclass{article}\begin{document}\def\x{\x}\x\end{document}")
    with pytest.raises(PdfError, match=r"within 2 s"):
        run_pdflatex(tmp_path, "a", timeout_s=2, timestamp_s=0)


def test_equal_sources_give_equal_pdfs_from_typst(tmp_path):
    made = []
    for name in ("one", "two"):
        run_typst("= Title\nText", tmp_path, name, fonts=typst_fonts(), timestamp_s=1_700_000_000)
        made.append((tmp_path / f"{name}.pdf").read_bytes())
    assert made[0] == made[1]


def test_what_typst_refuses_is_said(tmp_path):
    with pytest.raises(PdfError, match=r"typst could not set a: .*unknown variable"):
        run_typst("#nothing", tmp_path, "a", fonts=typst_fonts(), timestamp_s=0)


def test_typst_takes_no_package_from_anywhere(tmp_path):
    with pytest.raises(PdfError, match=r"typst could not set a"):
        run_typst('#import "@local/x:1.0.0": y', tmp_path, "a", fonts=typst_fonts(), timestamp_s=0)
