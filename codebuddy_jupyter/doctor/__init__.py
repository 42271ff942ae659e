"""The examination of a provider, and the report of what it found."""
