"""The cluster: a namespace, the state of its objects, readiness, the lease, and requests to pods."""
