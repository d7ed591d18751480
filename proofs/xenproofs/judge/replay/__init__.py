"""Replay: a recording of a real guest on the real Xen is played to the model, which predicts every answer."""
