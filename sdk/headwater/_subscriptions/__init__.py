"""Following what happens to artifacts: `headwater.subscribe`."""
