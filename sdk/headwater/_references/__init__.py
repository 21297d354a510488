"""References: resolve a URI when it is added, and fetch its bytes when it is downloaded; one module per scheme."""
