"""Settings and profiles: from the environment, a settings file, or defaults."""
