"""Questions about notebooks whose answers are run: how many are right."""
