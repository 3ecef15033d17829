"""Measures many model files from one TOML file: models, formats, precisions, sizes, threads, engines and hosts; resumable."""
