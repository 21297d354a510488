"""What has to be done now and then. It is done by events, like everything else, so that a replay does the same."""
