"""The canary: smoke test, metrics of the soak, and the checks that decide."""
