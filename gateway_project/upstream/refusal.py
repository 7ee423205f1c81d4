"""What the sample upstream answers when it cannot answer."""

from http import HTTPStatus


class RefusalError(Exception):
    """A request that gets an error answer: its status, what was wrong, and further members.

    It becomes an ``application/problem+json`` body (RFC 9457).
    """

    def __init__(self, status: HTTPStatus, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members = members
        self.headers: tuple[tuple[str, str], ...] = ()

    def body(self) -> dict[str, object]:
        """Return the members of the problem document."""
        return {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            **self.members,
        }


def not_found(detail: str, **members: object) -> RefusalError:
    """Return a 404 that says what does not exist and what does."""
    return RefusalError(HTTPStatus.NOT_FOUND, detail, **members)


def bad_request(detail: str, **members: object) -> RefusalError:
    """Return a 400 that names the parameter and the form it may have."""
    return RefusalError(HTTPStatus.BAD_REQUEST, detail, **members)


def method_not_allowed(method: str, allowed: tuple[str, ...]) -> RefusalError:
    """Return a 405 with the ``Allow`` header that RFC 9110 asks for."""
    names = ", ".join(allowed)
    refusal = RefusalError(
        HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not allowed here; allowed are {names}."
    )
    refusal.headers = (("Allow", names),)
    return refusal
