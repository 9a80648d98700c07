"""What Cloudinary says instead of doing it: a status, and the same words in body and header."""


class Refusal(Exception):
    """Not done; *status* and *message* are what the client reads."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def missing(name: str) -> Refusal:
    return Refusal(400, f"Missing required parameter - {name}")


def not_found(public_id: str) -> Refusal:
    return Refusal(404, f"Resource not found - {public_id}")
