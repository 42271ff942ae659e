"""Examine a provider step by step, and report each problem with its remedy."""
