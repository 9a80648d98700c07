"""What an order's outcome tells of its provider, for the ledger: all replicas heed it there."""

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2
from services.generator import provider as seam

BALANCE, CREDENTIAL = "PROVIDER_BALANCE_EMPTY", "PROVIDER_CREDENTIAL_REFUSED"


def of_ticket(ticket: seam.Ticket) -> edge_pb2.Heard:
    """It took the order."""
    return _heard(edge_pb2.PROVIDER_SIGN_WELL, ticket.allowance)


def of_error(error: Exception, provider: str) -> edge_pb2.Heard | None:
    """It did not, or nobody knows; what *provider*'s adapter must not raise tells nothing."""
    if not isinstance(error, seam.ProviderError):
        return None
    found = _heard(_sign(error), error.allowance)
    if reason := reason_of(error):
        fault = errors.Precondition(reason, str(error), metadata={"provider": provider})
        found.refusal.CopyFrom(errors.to_status(fault))
    return found


def reason_of(error: Exception) -> str:
    """Why it takes no order of ours whatever; empty where it is about this one."""
    match error:
        case seam.NoCredit():
            return BALANCE
        case seam.NotKnown():
            return CREDENTIAL
    return ""


def _sign(error: seam.ProviderError) -> edge_pb2.ProviderSign.ValueType:
    match error:
        case seam.Unsent():
            return edge_pb2.PROVIDER_SIGN_UNSPECIFIED
        case seam.NoCredit() | seam.NotKnown():
            return edge_pb2.PROVIDER_SIGN_REFUSES_US
        case seam.Refused() | seam.Withheld():
            return edge_pb2.PROVIDER_SIGN_WELL
        case seam.Busy() | seam.Unkept():
            return edge_pb2.PROVIDER_SIGN_UNSPECIFIED
    return edge_pb2.PROVIDER_SIGN_FAILS


def _heard(
    sign: edge_pb2.ProviderSign.ValueType, allowance: seam.Allowance | None
) -> edge_pb2.Heard:
    found = edge_pb2.Heard(sign=sign)
    if allowance:
        found.allowance.orders_left = allowance.left
        found.allowance.renewal.FromMilliseconds(round(allowance.seconds * 1000))
    return found
