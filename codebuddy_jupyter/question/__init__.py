"""The way of a question from the typed prompt to the request, and of the answer back."""
