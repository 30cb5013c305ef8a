"""What a document gets wrong, in words: one line a problem, its place first."""

from pydantic import ValidationError


def problems_of(error: ValidationError, whole: str) -> list[str]:
    """Return "place: problem" for each; `whole` names the document itself.

    The input is left out: it may be hostile, huge, or secret.
    """
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [
        f"{'.'.join(str(part) for part in problem['loc']) or whole}: {problem['msg']}"
        for problem in found
    ]
