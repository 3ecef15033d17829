"""Camera to result, never torch: backends, sources, mailbox, pipeline, sinks."""
