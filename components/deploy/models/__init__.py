"""Models in the registry and the store, as a deployment sees them."""
