"""The command that starts orderflow, shows it and looks after it."""
