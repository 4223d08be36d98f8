"""Bars with intervals, and tints of cells."""

from markupsafe import Markup, escape

from components.document.content import Bar, Shade
from components.document.escaping import trusted

_RIGHT, _WRONG = (31, 122, 77), (176, 52, 43)  # green and red of the pages' palette
_DEEPEST = 0.55  # deepest tint on which the text is readable


def share(value: float) -> float:
    """Return `value` clipped to [0, 1]."""
    return min(1.0, max(0.0, value))


def span(bar: Bar) -> tuple[float, float] | None:
    """Return start and width of a bar's interval, as shares of its length; None if there is no interval."""
    if bar.low is None or bar.high is None:
        return None
    low, high = sorted((share(bar.low), share(bar.high)))
    return low, max(high - low, 0.004)


def bar_svg(bar: Bar) -> Markup:
    """Draw a bar as inline SVG: track from 0 to 100 %, interval as a band, value as a mark, gate as a line."""
    if bar.value is None:
        return trusted("")
    parts = ['<rect class="track" x="0" y="5" width="100" height="2"/>']
    interval = span(bar)
    if interval is not None:
        parts.append(
            f'<rect class="band" x="{100 * interval[0]:.1f}" y="3" width="{100 * interval[1]:.1f}" height="6"/>'
        )
    if bar.limit is not None:
        parts.append(f'<rect class="limit" x="{99.4 * share(bar.limit):.1f}" y="0" width="0.6" height="12"/>')
    parts.append(f'<rect class="mark" x="{98.4 * share(bar.value):.1f}" y="2" width="1.6" height="8"/>')
    return trusted(
        f'<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="{escape(bar.text)}">'
        f"{''.join(parts)}</svg>"
    )


def tint(cell: Shade) -> tuple[int, int, int]:
    """Return red, green and blue of a cell's background, each in 0 … 255."""
    red, green, blue = _RIGHT if cell.right else _WRONG
    depth = _DEEPEST * share(cell.share)
    return tuple(round(255 - depth * (255 - channel)) for channel in (red, green, blue))  # type: ignore[return-value]
