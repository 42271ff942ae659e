"""The panel: chat and settings beside the code, as widgets.

The state is the Buddy's; a panel only shows it.
"""
