"""The command line: ``affectvlm --help``.

Heavy libraries are imported inside the commands, so that help comes at once.
"""

from affectvlm.cli.entry import EXTRAS, app, main

__all__ = ["EXTRAS", "app", "main"]
