"""The page: what is recorded, for people in a browser. It changes nothing but who is signed in."""
