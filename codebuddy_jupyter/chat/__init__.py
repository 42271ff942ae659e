"""The conversation: a reply while it streams, the turns, and the conversations kept on
disk.
"""
