"""One face: which one, its reading, and how it and its answer are drawn; shared by the parts of the page."""
