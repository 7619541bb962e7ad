"""Skills and workflows: read from files and from callers, kept together, rendered, and written back."""
