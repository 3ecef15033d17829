"""The part that runs on the board, by its own Python and before anything is installed there: standard library only.

It is copied as one archive with a few files of edgecnn that need no more (``edgecnn.remote.agent_archive``). Each call names a verb and
gives its request as one line of JSON on standard input; the answer is one line of JSON on standard output.
"""
