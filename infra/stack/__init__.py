"""The pieces of the stack, one construct an idea; `infra.app` only composes them."""
