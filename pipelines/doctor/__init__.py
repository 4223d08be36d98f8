"""The doctor: what is reachable from this machine and from a pod, each failure with its way out."""
