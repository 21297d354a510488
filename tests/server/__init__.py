"""The service over HTTP: real server processes, asked over real connections."""
