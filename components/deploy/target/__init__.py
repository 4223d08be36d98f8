"""The target of a deployment: exact versions, and the chart's values."""
