"""Decoding and non-maximum suppression in the graph, for `edgecnn export --nms`.

``decoders`` turn the raw outputs of a detector into boxes and scores in PyTorch, so that every converter and quantizer takes them as
layers; after the precision was lowered, the module of a format appends the suppression to the program, in float.
"""
