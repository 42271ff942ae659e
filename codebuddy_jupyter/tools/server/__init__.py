"""An MCP server in the kernel: agents on the same machine read the notebook.

It is started by ``%buddy /serve`` only. It listens on loopback, lets in who has the key,
and offers what only reads: the looks, the context of a question, an outline and the last
error. Nothing that it offers runs code.
"""
