"""From a typed prompt to the request for one model: options, prompts, tokens and the
draft.
"""
