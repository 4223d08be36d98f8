"""The pipelines: compose the steps, compile them, run them on this machine."""
