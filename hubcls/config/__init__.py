"""What does a YAML file ask for: its sections become constructor calls, and back again."""

__all__: list[str] = []
