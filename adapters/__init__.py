"""Everything that touches the world: the log, the CLI processes, MCP, the shell."""
