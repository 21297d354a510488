"""What all parts of the HTTP interface share: its error shape, its bounds, its bodies."""
