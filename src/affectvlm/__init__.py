"""Facial expression recognition from 3D and 4D face scans with a vision-language model.

An open implementation of AffectVLM (Behzad and Zhao 2025, arXiv 2504.19739).
"""

__version__ = "0.1.0"
