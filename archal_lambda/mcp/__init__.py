"""A clone's tools, resources and prompts by the Model Context Protocol (MCP): in one POST, under one deadline."""
