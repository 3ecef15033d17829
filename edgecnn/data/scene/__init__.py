"""The built-in virtual camera: a procedural table-top with exact truth."""
