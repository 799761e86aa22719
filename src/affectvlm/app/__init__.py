"""The web page: ``affectvlm app``."""
