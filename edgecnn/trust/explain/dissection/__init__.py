"""Network dissection: which units of a network detect a colour, a texture, a part or an object (Bau et al. 2017, arXiv:1704.05796)."""
