"""Tables: what they hold, how they are stored, and how parts are joined."""
