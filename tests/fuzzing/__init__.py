"""Every reader against damaged and hostile files; ``python -m fuzzing --help`` tells how to run it at length."""
