"""Shows a run live: as a page in the browser and as text in the terminal."""
