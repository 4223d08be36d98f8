"""Cost of a network that is the same on every machine."""

from components.embed.source import Source


def multiply_adds(source: Source) -> int:
    """Return the multiplications with an addition in one pass of a backbone's network over one photo.

    Convolutions, matrix products and attention count, as in the figures of papers; a torch counter finds them.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module = source.load()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(1, 3, source.input_px, source.input_px))
    return int(counter.get_total_flops()) // 2
