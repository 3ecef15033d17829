"""Live views of a run: a page in the browser, and text in the terminal."""
