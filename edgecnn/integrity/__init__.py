"""Digests and signatures of model files: a file whose bytes changed after export is noticed before it gives a result.

A file has a body, which is graph and weights, and texts: card, goldens, digest, signature. ``sections`` takes a file apart, one module
for each format. ``digest`` computes and checks the SHA-256 of both, ``signature`` signs them with an Ed25519 key.
"""
