"""Where things are in pictures that the server draws: pure functions of what they show. Templates write the SVG."""
