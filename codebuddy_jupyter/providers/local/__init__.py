"""The provider for a model server on the user's own machine, and how one is discovered."""
