"""Where answers come from: each provider is a class with one method to write,
``stream``.
"""
