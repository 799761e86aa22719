"""Runs the command line: ``python -m affectvlm`` (and ``torchrun ... -m affectvlm train``)."""

from affectvlm.cli import main

main()
