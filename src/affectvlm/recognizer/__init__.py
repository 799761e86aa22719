"""Use a trained model on scans."""

from affectvlm.recognizer.recognizer import Prediction, Recognizer

__all__ = ["Prediction", "Recognizer"]
