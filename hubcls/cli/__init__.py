"""What can a user type: `hubcls train|eval|predict|modules|datasets`, printed and exited here."""

__all__: list[str] = []
