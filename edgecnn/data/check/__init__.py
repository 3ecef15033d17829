"""What `edgecnn data check` says of a dataset: counts, problems, odd boxes, duplicates."""
