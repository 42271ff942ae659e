"""HTTP to OpenAI-compatible servers: addresses, transport, streams, errors and
timeouts.
"""
