"""The one order of the classes."""

from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS, class_order


def test_the_order_is_the_projects_own():
    assert EMOTIONS == ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    assert FURTHER_EXPRESSIONS == ("neutral", "embarrassment", "pain", "contempt")


def test_what_is_present_is_put_into_that_order():
    assert class_order({"pain", "neutral", "surprise", "anger"}) == ("anger", "surprise", "neutral", "pain")
    assert class_order({*FURTHER_EXPRESSIONS, *EMOTIONS}) == EMOTIONS + FURTHER_EXPRESSIONS
    assert class_order(set()) == ()


def test_classes_of_ones_own_follow_by_alphabet():
    assert class_order({"wink", "contempt", "frown", "anger"}) == ("anger", "contempt", "frown", "wink")
