"""Why a quantized file gives wrong results: the cause is read from the file and from what it computes, without labels."""
