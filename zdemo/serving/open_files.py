"""How many clients can be connected at a time: the limit of open files decides."""

MOST_CONNECTIONS = 16_384  # per worker; silent ones count, so this is far more than one client opens
LOWER_LIMITS = (10_240, 4_096, 1_024)  # to try where the system refuses a limit although the hard one is higher (macOS)


def raise_limit(wanted: int) -> int | None:
    """Raise the limit of open files towards ``wanted``, and return it; None if there is none.

    Processes that are started afterwards inherit it.
    """
    try:
        import resource  # not on Windows, which has no such limit
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    for limit in (wanted, *LOWER_LIMITS):
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        if allowed <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        except (ValueError, OSError):
            continue
        return allowed
    return soft


def most_connections(others: int) -> tuple[int, int | None]:
    """Return how many clients a process can hold beside ``others`` open files, and the limit; it can be below 0."""
    limit = raise_limit(MOST_CONNECTIONS + others)
    return (MOST_CONNECTIONS if limit is None else min(MOST_CONNECTIONS, limit - others)), limit
