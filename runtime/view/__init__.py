"""What people look at while a run goes on: a page in the browser, and text in a terminal."""
