"""Use a trained model on scans and sequences."""

from affectvlm.recognizer.explanation import Explanation
from affectvlm.recognizer.prediction import UNSURE, Prediction, Predictions
from affectvlm.recognizer.recognizer import Recognizer
from affectvlm.recognizer.stream import StreamAnswer
from affectvlm.recognizer.timeline import Timeline

__all__ = ["UNSURE", "Explanation", "Prediction", "Predictions", "Recognizer", "StreamAnswer", "Timeline"]
