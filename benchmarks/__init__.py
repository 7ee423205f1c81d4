"""What tiercache costs, measured next to its rivals; each module is a command."""
