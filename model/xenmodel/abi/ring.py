"""The arithmetic of I/O rings: free-running 32-bit indices (RING_IDX of xen/include/public/io/ring.h).

An index counts items since the ring was made and is never reduced to the size of the ring: it wraps at 2^32.
Whatever two indices say of each other is said by their distance modulo 2^32. Rings have a power of two of
slots. Each function takes the mask of the index last, so that a small world can have short indices.

An item stands for a descriptor: the number of a request, and whether it is the request or its response.
"""

from typing import Final

INDEX_MASK: Final = (1 << 32) - 1
"""Of RING_IDX, an unsigned int."""
NOTHING: Final = -1
"""What a slot holds in which nobody has written."""


def distance(new: int, old: int, mask: int = INDEX_MASK) -> int:
    """Return by how much `new` is ahead of `old`."""
    return (new - old) & mask


def successor(index: int, by: int = 1, mask: int = INDEX_MASK) -> int:
    """Return the index of a later item."""
    return (index + by) & mask


def slot_of(index: int, size: int) -> int:
    """Return the slot of an item (RING_GET_REQUEST, RING_GET_RESPONSE)."""
    return index & (size - 1)


def free_requests(req_prod_pvt: int, rsp_cons: int, size: int, mask: int = INDEX_MASK) -> int:
    """Return how many requests a frontend may still write (RING_FREE_REQUESTS)."""
    return size - distance(req_prod_pvt, rsp_cons, mask)


def overflows(prod: int, anchor: int, most: int, mask: int = INDEX_MASK) -> bool:
    """Return whether a peer's producer index names more items than there can be.

    `anchor` is the last index that is certain: rsp_prod_pvt for requests (RING_REQUEST_PROD_OVERFLOW),
    rsp_cons for responses (RING_RESPONSE_PROD_OVERFLOW); `most` how many items there may be from there on.
    """
    return distance(prod, anchor, mask) > most


def crossed(new: int, old: int, event: int, mask: int = INDEX_MASK) -> bool:
    """Return whether the step from `old` to `new` reaches the item that the peer waits for.

    The condition of RING_PUSH_REQUESTS_AND_CHECK_NOTIFY and RING_PUSH_RESPONSES_AND_CHECK_NOTIFY.
    """
    return distance(new, event, mask) < distance(new, old, mask)


def request(number: int) -> int:
    """Return the item of a request."""
    return number + number


def response(number: int) -> int:
    """Return the item of the response to a request."""
    return number + number + 1


def is_response(item: int) -> bool:
    """Return whether an item is a response."""
    return (item & 1) == 1


def number_of(item: int) -> int:
    """Return the request that an item is, or answers."""
    return item >> 1
