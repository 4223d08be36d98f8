"""The cluster: objects of a release, their state and readiness, the lease, and HTTP requests to pods."""
