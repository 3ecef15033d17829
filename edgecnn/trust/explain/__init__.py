"""`edgecnn explain`: filters, feature maps, receptive fields and units of any model file."""
