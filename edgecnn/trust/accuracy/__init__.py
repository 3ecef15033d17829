"""The accuracy of one model file in detail: by class, by kind of error, by score, each figure with its interval."""
