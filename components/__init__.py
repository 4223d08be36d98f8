"""The steps of the pipeline, one folder each; `component.py` in it is the only file that knows KFP."""
