"""Smaller networks from larger ones: distillation, structured pruning, quantization-aware training, and what each costs and keeps."""
